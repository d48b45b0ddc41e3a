"""The server: who it answers, what it never does, and how it ends."""

import http.client
import json
import os
import signal
import socket
import struct
import threading
import time
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lightnas.cli.main import main
from lightnas.explore import server as served_by
from lightnas.network.structure import parse_structures
from lightnas.runs.config import load_config

from ..conftest import refused
from .served import LONG, SMALL, alive, serving

QUERY = urlencode(SMALL)


def test_the_first_line_is_the_address(server):
    assert server.address == f"http://127.0.0.1:{server.port}/"
    status, headers, body = server.ask("GET", "/")
    assert status == 200 and headers["content-type"].startswith("text/html")
    assert b"explore - lightnas" in body
    for path in ("/style.css", "/script.js"):
        assert server.ask("GET", path)[0] == 200


def test_a_tab_that_is_closed_while_it_is_answered_is_nothing_to_speak_of(tmp_path):
    reset = struct.pack("ii", 1, 0)  # closed at once, whatever is on its way
    with serving(tmp_path) as own:
        own.events(SMALL)  # known from now on, so that all is told at once
        for i in range(200):
            with closing(socket.create_connection(("127.0.0.1", own.port))) as tab:
                tab.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
                asked = f"POST /answers?tab=closed HTTP/1.1\r\nHost: 127.0.0.1:{own.port}\r\n"
                tab.sendall(f"{asked}Content-Length: {len(QUERY)}\r\n\r\n{QUERY}".encode())
                time.sleep(i * 1.5e-4)  # some before, some while and some after it is answered
        assert own.ask("GET", "/")[0] == 200
        assert own.stop() == (130, "lightnas: interrupted\n")


def test_it_listens_on_loopback_alone(server):
    found = [
        line.split()[1]
        for line in Path("/proc/net/tcp").read_text().splitlines()
        if line.split()[3] == "0A" and line.split()[1].endswith(f":{server.port:04X}")
    ]
    assert found == [f"0100007F:{server.port:04X}"]


@pytest.mark.parametrize("path", ["/", "/script.js", "/answers", f"/structure.txt?{QUERY}"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": None},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1:1"},
        {"Host": "evil.example:{port}"},
        {"Host": "localhost.evil.example:{port}"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_others_are_refused(server, path, headers):
    if path == "/" and "Sec-Fetch-Site" in headers:
        pytest.skip("the page itself may be linked to")
    given = {k: v and v.replace("{port}", str(server.port)) for k, v in headers.items()}
    status, found, body = server.ask("POST" if path == "/answers" else "GET", path, QUERY, given)
    assert status in (400, 403) and body.count(b"\n") <= 1
    if status == 403:
        assert "default-src 'none'" in found["content-security-policy"]


def test_the_page_is_answered_by_both_names_and_from_a_link(server):
    for headers in (
        {"Host": f"localhost:{server.port}", "Origin": f"http://localhost:{server.port}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
    ):
        status, found, _ = server.ask("GET", f"/?{QUERY}", headers=headers)
        assert status == 200 and "frame-ancestors 'none'" in found["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/tiny.yaml", "/../tiny.yaml", "/%2e%2e/tiny.yaml", "/..%2f..%2fetc/passwd", "//etc/passwd",
        "/templates/explore.js", "/script.js/", "/etc/passwd", "/structure.txt/..", "/%00", "/favicon.ico",
    ],
)  # fmt: skip
def test_no_file_is_served(server, path):
    status, _, body = server.ask("GET", path)
    assert status in (307, 404) and b"root:" not in body and b"blocks" not in body


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
@settings(max_examples=40)
def test_any_question_is_answered_in_lines(server, body):
    *_, last = server.events(body, tab="any")
    assert "fault" in last and len(last["fault"].splitlines()) <= 1


@given(st.text(max_size=100) | st.sampled_from([QUERY, QUERY + "&x=1", "budget-flops=1"]))
@settings(max_examples=20)
def test_any_file_is_made_or_refused_in_one_line(server, query):
    path = f"/structure.txt?{quote(query, safe='=&%+', errors='replace')}"
    status, _, body = server.ask("GET", path)
    assert status == (200 if query == QUERY else 400)
    assert status == 200 or body.count(b"\n") == 1


def test_a_question_that_is_too_long(server):
    assert "too long" in server.events(b"x" * 100_000)[-1]["fault"]


def test_a_setting_that_nothing_meets_is_said_in_one_line(server):
    events = server.events(SMALL | {"budget-flops": "3"})
    assert "ranges" in events[0]  # the sliders can go where something is
    assert "expected at least" in events[-1]["fault"]


def test_an_answer_from_beginning_to_end(server):
    values = [
        *SMALL.items(),
        ("since", QUERY.replace("3M", "4M")),
        ("pin", QUERY.replace("3M", "5M")),
    ]
    events = server.events(values)
    parts = [name for event in events for name in event.get("parts", {})]
    assert list(dict.fromkeys(parts)) == ["answer", "stages", "moved", "pins", "front"]
    assert events[-1] == {"done": True}
    assert any(event.get("said", "").startswith("Proven optimal: score") for event in events)
    again = server.events(values)  # what was found is kept
    assert again[-1] == events[-1] and len(again) <= len(events)
    assert [event for event in again if "end" in event] == [e for e in events if "end" in e]


def test_a_pin_or_a_setting_before_that_is_none_is_said_and_left_out(server):
    bad = QUERY.replace("3M", "3")
    events = server.events([*SMALL.items(), ("since", bad), ("pin", bad), ("pin", QUERY)])
    said = [event["fault"] for event in events if "fault" in event]
    assert [line.partition(":")[0] for line in said] == ["since", "a pinned design"]
    assert events[-1] == {"done": True}


def test_files(server, tmp_path):
    status, headers, text = server.ask("GET", f"/structure.txt?{QUERY}")
    assert status == 200 and headers["content-disposition"].startswith("attachment")
    assert parse_structures(text.decode())
    status, _, config = server.ask("GET", f"/config.yaml?{QUERY}")
    (tmp_path / "config.yaml").write_bytes(config)
    assert load_config(tmp_path / "config.yaml", {}).problem.limits == {"flops": 3e6}
    status, _, line = server.ask("GET", f"/config.yaml?{QUERY}&pin=x")
    assert status == 400 and line.count(b"\n") == 1
    assert yaml.safe_load(config)["budget"]["flops"] == 3e6


@pytest.mark.skipif(
    not all(map(find_spec, ("torch", "onnx", "onnxruntime"))), reason="no torch, onnx, onnxruntime"
)
def test_the_network_as_onnx(server):
    import onnx

    status, _, content = server.ask("GET", f"/backbone.onnx?{QUERY}")
    assert status == 200
    onnx.checker.check_model(onnx.load_from_string(content))
    assert server.events(SMALL)[-1] == {"done": True}


def test_what_onnx_needs_is_said_where_it_is_missing(monkeypatch):
    monkeypatch.setattr(served_by, "find_spec", lambda name: None)
    assert "torch is not installed: pip install '.[onnx]'" in served_by._missing("backbone.onnx")
    assert served_by._missing("structure.txt") == ""


# --- many at once ---------------------------------------------------------------------------------------------------


class Stream:
    """A question whose answer is read line by line."""

    def __init__(self, server, values, tab):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        self.connection.request("POST", f"/answers?tab={tab}", urlencode(values))
        self.answer = self.connection.getresponse()

    def next(self):
        line = self.answer.readline()
        return json.loads(line) if line else None

    def rest(self):
        with closing(self.connection):
            return list(iter(self.next, None))


def test_a_newer_setting_of_a_tab_ends_the_older_one_and_no_other_tab_s(server):
    old, other = Stream(server, LONG, "a"), Stream(server, LONG | {"budget-layers": "90"}, "b")
    assert "parts" in old.next() and "parts" in other.next()
    assert server.events(SMALL, tab="a")[-1] == {"done": True}
    assert {"done": True} not in old.rest()
    assert other.next() is not None
    other.connection.close()
    many = [Stream(server, SMALL | {"budget-flops": f"{n}M"}, "a") for n in range(3, 40)]
    ends = [stream.rest()[-1:] for stream in many]
    assert ends[-1] == [{"done": True}]


def test_many_tabs_are_all_answered(server):
    ended = []

    def ask(n):
        ended.append(server.events(SMALL | {"budget-flops": f"{n}.5M"}, tab=f"tab-{n}")[-1])

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(3, 13)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == 10 * [{"done": True}]


def test_a_search_that_nobody_waits_for_is_left(server):
    """Its worker is there for the next one: workers do not add up."""
    for n in range(60, 75):
        stream = Stream(server, LONG | {"budget-layers": str(n)}, f"closed-{n}")
        stream.next()
        stream.connection.close()
    assert server.events(SMALL, tab="after")[-1] == {"done": True}
    assert len(server.children()) <= 8  # six workers, and Python's tracker of resources


def test_a_worker_that_is_killed(tmp_path):
    with serving(tmp_path) as server:
        stream = Stream(server, LONG, "a")
        stream.next()
        for child in server.children():
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(child, signal.SIGKILL)
        assert "process died" in stream.rest()[-1]["fault"]
        for _ in range(5):  # those that waited died too
            *_, last = server.events(SMALL)
            if last == {"done": True}:
                break
        assert last == {"done": True}


# --- beginning and ending ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "status", "said"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_signal_ends_it_while_searches_run(tmp_path, number, status, said):
    with serving(tmp_path) as server:
        streams = [Stream(server, LONG | {"budget-layers": f"9{n}"}, f"{n}") for n in range(3)]
        assert all("parts" in stream.next() for stream in streams)
        ended = server.stop(number)
        assert ended == (status, f"lightnas: {said}\n"), ended
        assert {"done": True} not in [event for stream in streams for event in stream.rest()]


def test_a_signal_ends_it_before_its_workers_have_begun(tmp_path):
    with serving(tmp_path) as server:
        ended = server.stop()
        assert ended == (130, "lightnas: interrupted\n"), ended


def test_nothing_is_left_of_a_server_that_is_killed(tmp_path):
    with serving(tmp_path) as server:
        stream = Stream(server, LONG, "a")
        stream.next()
        children = server.children()
        server.process.kill()
        server.process.wait()
        for _ in range(600):
            if not any(map(alive, children)):
                break
            time.sleep(0.05)
        assert not [child for child in children if alive(child)]
        stream.connection.close()


def test_a_port_that_is_in_use(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refused(capsys, "explore", "--no-open", "--port", str(port))
    assert f"--port is {port}" in said and "in use" in said and "expected a free one" in said


def test_mistakes(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "--preset is 'maedet-x'" in refused(capsys, "explore", "--preset", "maedet-x")
    assert "none.yaml" in refused(capsys, "explore", "--space", "none.yaml")
    assert "none.json" in refused(capsys, "explore", "--latency-table", "none.json")
    assert "--port" in refused(capsys, "explore", "--port", "0")


def test_without_the_extra(capsys, monkeypatch):
    monkeypatch.setattr("lightnas.errors.find_spec", lambda name: None)
    assert main(["explore"]) == 2
    said = capsys.readouterr().err
    assert "starlette is not installed, expected it: pip install '.[explore]'" in said
    assert said.count("\n") == 1
