"""Commands on a pseudo-terminal, and a sample of everything that ``lightnas.cli.tables`` prints.

Run as a script it prints every sample on the terminal that it stands in, and writes beside it, as
JSON, what each one says where there is no terminal.
"""

import fcntl
import inspect
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

from lightnas.cli import tables
from lightnas.install.doctor import Finding

MARK = "=== "
ROOT = Path(__file__).resolve().parents[2]


def on_terminal(columns, *command, folder=None, **environment):
    """Exit status of a command on a terminal of so many columns, and what it shows there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    kept = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, *map(str, command)], stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder,
        env=kept | {"TERM": "xterm", "PYTHONPATH": paths} | environment, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    said = b""
    while True:
        try:
            more = os.read(ours, 65536)
        except OSError:  # Linux's way of saying that the other side has closed
            break
        if not more:
            break
        said += more
    os.close(ours)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said.decode()).replace("\r\n", "\n")
    return process.wait(), text


def functions():
    """Everything in ``tables`` that prints, by its name."""
    found = inspect.getmembers(tables, inspect.isfunction)
    return {name: run for name, run in found if name.startswith("print_")}


FIGURES = {"flops": 83_581_000_000, "params": 25_596_000, "layers": 91, "rho": 0.1461}
PER_CLASS = [
    {"class": name, "ap": 0.123, "ap50": None, "objects": 1_234_567, "pictures": 12_345}
    for name in ("cat", "traffic light", "a class of a rather long name, and more")
]
SPLIT = {
    "pictures": 118_287, "without_objects": 1021, "objects": 860_001, "crowds": 10_498,
    "sizes": {"small": 356_340, "medium": 295_163, "large": 208_498},
    "objects_a_picture": {"mean": 7.27, "most": 93},
    "picture_sizes": {"smallest": (72, 51), "median": (640, 480), "largest": (640, 640)},
    "classes": {"person": 262_465, "traffic light": 12_884}, "notes": [], "left_out": [],
}  # fmt: skip


def samples(folder):
    """Arguments of every function that prints; those of ``print_search`` are of a search."""
    from lightnas import runs

    asked = {"budget": {"flops": "0.5G", "layers": "31"}, "input_size": (192, 192),
             "evaluations": 2000, "within": 0.05, "minimise": "params"}  # fmt: skip
    config = runs.load_config(None, asked)
    found = runs.search(config, folder / "run")
    point = FIGURES | {"latency": 0.01234, "activations": 81_234_567}
    points = [
        point | {"budget": 1e10 * i, "score": 2111.149, "upper_bound": 2111.15, "gap": gap}
        for i, gap in ((1, 0.0), (2, 0.0000123), (160, None))
    ]
    row = FIGURES | {"score": 2111.148968, "entropies": [6.366, 14.381, 105.064, 204.379, 300.284]}
    measured = {"score": 2100.5, "entropies": [6.3, 14.3, 105.0, 204.3, 300.2]}
    every = dict.fromkeys(("entropy", "deepmad", "flops", "params", "layers", "zen"), 12345.678)
    speed = SimpleNamespace(median=0.01234, spread=0.12, noisy=True)
    study = [FIGURES | {"structure": i, "ap": 0.1234, "score": 2111.149} for i in (0, 0, 1)]
    precisions = {"ap": 0.4567, "ap50": 0.6789, "ap75": 0.5, "ap_s": None, "ap_m": 0.3, "ap_l": 0.7}
    boxes = [{"class": "cat", "score": 0.987}] * 3
    return {
        "print_search": (found, config, folder / "run"),
        "print_scores": ([row | {"measured": measured, "scores": every}] * 2, "outputs/maedet-m",
                         (800, 1280), (0, 0, 1, 1, 6), None, True),
        "print_front": ({"axis": "flops", "points": points, "input_size": "800x1280", "score": "entropy",
                         "compare": [point | {"name": "outputs/another-one", "score": 1731.907}]}, folder),
        "print_latencies": ({"device": "cpu of a machine, 1 thread", "input_size": "800x1280", "structures": [
            {"name": f"maedet-m {i}", "flops": 83_581_000_000, "seconds": 0.1234, "spread": 0.08,
             "table": 0.1235, "off": 0.0123}
            for i in range(3)], "rank_correlation": 0.98765, "median_error": 0.0321},),
        "print_precisions": ({name: SimpleNamespace(ap=0.8481, speed=speed) for name in ("fp32", "int8")}, "val"),
        "print_detection": (precisions | {"checkpoint": "outputs/maedet-m-det/best_bbox_mAP_epoch_73.pth",
                                          "split": "test", "images": 40_670, "carried": 0.987,
                                          "skipped": ["0001.jpg is damaged"], "last": "w/latest.pth"},),
        "print_classes": (PER_CLASS,),
        "print_data": ({"splits": dict.fromkeys(("train", "val", "test"), SPLIT), "layout": "coco",
                        "classes": list(SPLIT["classes"]), "notes": [], "mistakes": ["1 box"]}, folder, folder),
        "print_study": ({"structures": 12, "seeds": 3, "rows": study, "taus": {
            "score": {"tau": 0.4321, "low": -0.1, "high": 0.9}, "FLOPs": None}}, folder),
        "print_findings": ([
            Finding("faster-coco-eval", "2.13.0+cpu", "from 1.6.8, below 2", "pip install it"),
            Finding("operators", "compiled: the compiled ones do not load beside this torch (undefined symbol)",
                    "compiled or plain torch")],),
        "print_found": ([{"picture": "a.jpg", "image": "a.jpg", "detections": boxes},
                         {"picture": "v.mp4", "image": "v.mp4", "frame": 0, "detections": boxes}],),
    }  # fmt: skip


def main():
    """Print every sample; see above."""
    folder, plain = Path(sys.argv[1]), {}
    for name, given in samples(folder).items():
        with redirect_stdout(StringIO()) as out, redirect_stderr(out):
            functions()[name](*given)
        plain[name] = out.getvalue()
        print(f"{MARK}{name}", flush=True)
        functions()[name](*given)
        sys.stdout.flush()
    (folder / "plain.json").write_text(json.dumps(plain))


if __name__ == "__main__":
    main()
