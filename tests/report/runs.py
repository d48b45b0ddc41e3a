"""Runs to make pages of, and what is read from a page."""

import html
import json
import re
from pathlib import Path

from lightnas.network.structure import Structure, format_structures

from ..conftest import published, run

SIZE = ("--input-size", "64x64")
EVALUATIONS = ("--evaluations", "2000")


def searched(capsys, name="run", *options):
    run(
        capsys,
        "search",
        "--space",
        "tiny.yaml",
        "--budget-flops",
        "3M",
        *SIZE,
        *EVALUATIONS,
        "--output",
        name,
        *options,
    )
    return Path(name)


def front(capsys, name="front"):
    (Path("other.txt")).write_text(format_structures([Structure.from_dicts(published("s"))]))
    row = (
        "--budget-flops",
        "2M:6M:3",
        *SIZE,
        *EVALUATIONS,
        "--workers",
        "1",
        "--compare",
        "other.txt",
    )
    run(capsys, "pareto", "--space", "tiny.yaml", *row, "--output", name)
    return Path(name)


def training(name="det", finished=True):
    """A work directory as train-det leaves it; the last line of its log was cut off by a kill."""
    path = Path(name)
    path.mkdir()
    (path / "config.py").write_text("model = dict()\n")
    (path / "structure.txt").write_text(format_structures([Structure.from_dicts(published("s"))]))
    losses = [
        {"mode": "train", "epoch": e, "iter": i, "loss": 2.0 / (e + i / 100)}
        for e in (1, 2)
        for i in (50, 100)
    ]
    vals = [
        {
            "mode": "val",
            "epoch": e,
            "bbox_mAP": 0.2 * e,
            "bbox_mAP_50": 0.3 * e,
            "bbox_mAP_75": 0.1 * e,
        }
        for e in (1, 2)
    ]
    lines = [json.dumps(row) for row in [{"seed": 0}, *losses[:2], vals[0], *losses[2:], vals[1]]]
    (path / "20260101_000000.log.json").write_text("\n".join(lines) + '\n{"mode": "tra')
    (path / "detections.jpg").write_bytes(b"\xff\xd8 not looked into \xff\xd9")
    if finished:
        result = {"ap": 0.412, "ap50": 0.6, "ap75": 0.2, "ap_s": 0.1, "ap_m": None, "ap_l": None}
        (path / "result.json").write_text(json.dumps(result))
    return path


def text_of(page):
    """What a reader sees, without scripts and styles."""
    page = re.sub(r"<(style|script)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def check_alone(page):
    """Nothing is fetched: no address but those of namespaces, no file beside it."""
    assert len(page.encode()) < 1_000_000
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!#|data:)""", page)
    assert set(re.findall(r"https?://[^\"'\s<)]*", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "default-src 'none'" in page and "@import" not in page and "url(" not in page
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'data-copy="([^"]*)"', page)) <= set(ids)
