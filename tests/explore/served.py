"""``lightnas explore`` as a process of its own, and what is asked of it."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import yaml

from ..conftest import TINY, heed_ctrl_c

ROOT = Path(__file__).resolve().parents[2]
# Searched and proven at once.
SMALL = {"budget-flops": "3M", "space": "tiny.yaml", "input-size": "64x64"}
# Under a limit on rho a proof takes its time.
LONG = {"budget-flops": "200G", "budget-rho": "0.04", "budget-activations": "1.1G"}


class Server:
    """A server that runs: its process, port and address."""

    def __init__(self, folder, *options):
        (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lightnas", "explore", "--no-open", "--space", "tiny.yaml", *options],
            cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            preexec_fn=heed_ctrl_c,
        )  # fmt: skip
        self.address = self.process.stdout.readline().strip()
        self.port = urlsplit(self.address).port

    def ask(self, method, path, body=None, headers=None):
        """Status, headers and body of the answer; a header that is None is not sent."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        sent = {"Host": f"127.0.0.1:{self.port}"} | (headers or {})
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in sent.items():
            if value is not None:
                connection.putheader(name, value)
        content = body if isinstance(body, bytes) else (body or "").encode()
        connection.putheader("Content-Length", str(len(content)))
        connection.endheaders(content)
        answer = connection.getresponse()
        found = answer.status, answer.headers, answer.read()
        connection.close()
        return found

    def events(self, values, tab="tests"):
        """All that a page is told of an address."""
        query = values if isinstance(values, str | bytes) else urlencode(values)
        status, _, body = self.ask("POST", f"/answers?tab={tab}", query)
        assert status == 200
        return [json.loads(line) for line in body.splitlines()]

    def children(self):
        """Ids of its worker processes."""
        running = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
        return [pid for pid in running if status_of(pid)[1:2] == [str(self.process.pid)]]

    def stop(self, number=signal.SIGINT):
        """Exit status, and what was said on stderr; no child may be left. Like a terminal, it tells
        the children as well of a Ctrl-C."""
        children = self.children()
        assert children
        if number == signal.SIGINT:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        _, err = self.process.communicate(timeout=60)
        for _ in range(600):
            if not any(map(alive, children)):
                break
            time.sleep(0.05)
        assert not [child for child in children if alive(child)]
        return self.process.returncode, err


def status_of(pid):
    """State and parent of a process; nothing where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return []


def alive(pid):
    """Whether a process runs; one that only waits to be buried does not."""
    return status_of(pid)[:1] not in ([], ["Z"], ["X"])


@contextmanager
def serving(folder, *options):
    """A server for as long as the block runs; Ctrl-C ends it in one line, with its workers."""
    server = Server(folder, *options)
    try:
        yield server
        if server.process.poll() is None:
            ended = server.stop()
            assert ended == (130, "lightnas: interrupted\n"), ended
    finally:
        with server.process:
            server.process.kill()
