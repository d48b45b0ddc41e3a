"""Seconds until an answer stands on the page of ``lightnas explore``: ``python -m benchmarks.explore``.

Settings near maedet-m's, each another one, are asked for as the page does, one after the other while the
front around the one before is still computed, as by somebody who moves a slider. Counted is all between
the question and the line of the answer: HTTP, the worker, the search, the HTML; beside it the seconds of
the processor that server and workers took, which a busy machine changes less. With ``--picture FILE`` the
README's picture is taken instead, in Chromium.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

# Coarse: a structure within the budgets and a bound; proven: the optimum and its proof.
PHASES = {"coarse": ("bounded", "proven", "ended"), "proven": ("proven",)}
SIZE = {"width": 1280, "height": 1060}


@contextmanager
def serving() -> Iterator[tuple[str, int]]:
    """The address of a server, and its process, for as long as the block runs."""
    words = [sys.executable, "-m", "lightnas", "explore", "--no-open"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process.pid
        finally:
            process.send_signal(signal.SIGINT)


def processor(pid: int) -> float:
    """Seconds of the processor that a process and its children took."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # it has ended
            continue
        if str(pid) in (path.parent.name, fields[1]):
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def answered(port: int, pid: int, budget: float) -> dict[str, tuple[float, float]]:
    """Seconds until each kind of answer under a FLOPs budget, by the clock and of the processor; the
    rest is not waited for."""
    values = {"budget-flops": f"{budget!r}", "budget-params": "25.6M", "budget-layers": "91"}
    connection = http.client.HTTPConnection("127.0.0.1", port)
    worked, began = processor(pid), time.perf_counter()
    seconds: dict[str, tuple[float, float]] = {}
    connection.request("POST", "/answers?tab=benchmark", urlencode(values))
    answer = connection.getresponse()
    while len(seconds) < len(PHASES) and (line := answer.readline()):
        took, event = time.perf_counter() - began, json.loads(line)
        for name, phases in PHASES.items():
            if event.get("phase") in phases and name not in seconds:
                seconds[name] = took, processor(pid) - worked
    connection.close()
    return seconds


def measure(times: int) -> None:
    """Print medians and the worst."""
    with serving() as (address, pid):
        port = urlsplit(address).port
        assert port is not None
        answered(port, pid, 83.6e9)  # both workers are up then
        found = [answered(port, pid, 83.6e9 * (1 + 0.002 * (n + 1))) for n in range(times)]
    cores = len(os.sched_getaffinity(0))
    print(f"{times} settings near maedet-m, on {cores} cores\n")
    print("| answer | median s | worst s | median s of the processor | settings |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name in PHASES:
        took, worked = zip(*(seconds[name] for seconds in found if name in seconds), strict=True)
        middle, work = statistics.median(took), statistics.median(worked)
        print(f"| {name} | {middle:.2f} | {max(took):.2f} | {work:.2f} | {len(took)} |")


def picture(path: Path) -> None:
    """Take the picture of the page: a design under more FLOPs than the one before."""
    from playwright.sync_api import sync_playwright

    design = {"budget-flops": "83.6G", "budget-params": "25.6M", "budget-layers": "91"}
    before = urlencode(design | {"budget-flops": "60G"})
    with serving() as (address, _), sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        tab = browser.new_page(viewport=SIZE, color_scheme="light")  # type: ignore[arg-type]
        tab.goto(f"{address}?{urlencode(design | {'since': before})}")
        tab.locator("body:not([data-busy]) #answer .proven").wait_for()
        tab.screenshot(path=path)
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    if arguments.picture:
        picture(arguments.picture)
    else:
        measure(arguments.times)


if __name__ == "__main__":
    main()
