"""AP of each class, curves and the confusion matrix on the page of a training."""

import html
import json
import re
from pathlib import Path

import pytest

from ..conftest import run
from .test_report import check_alone, text_of, training

RECALL = [i / 100 for i in range(101)]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def measured(n_classes, without=()):
    """A finished training on so many classes, ``class k`` of which has k + 1 objects; those of
    ``without`` have none. Every object of class 0 was found as class 1."""
    path = training()
    result = json.loads((path / "result.json").read_text())
    names = [f"<b>class {k}</b>" for k in range(n_classes)]
    result["per_class"] = [
        {"class": name, "ap": None if k in without else 0.25, "ap50": None if k in without else 0.5,
         "objects": 0 if k in without else k + 1, "pictures": 0 if k in without else 1}
        for k, name in enumerate(names)
    ]  # fmt: skip
    counts = [[0] * (n_classes + 1) for _ in range(n_classes + 1)]
    for k in range(n_classes):
        counts[k][1 if k == 0 else k] = 0 if k in without else k + 1
    counts[1][n_classes] = 7
    curve = [round(1 - x / 2, 4) for x in RECALL]
    known = [None if k in without else curve for k in range(n_classes)]
    details = {
        "confusion": {
            "iou": 0.5,
            "score": 0.3,
            "names": [*names, "background"],
            "counts": counts,
        },
        "curves": {
            "iou": 0.5,
            "recall": RECALL,
            "mean": curve if any(known) else None,
            "per_class": known,
        },
    }
    (path / "result.json").write_text(json.dumps(result))
    (path / "evaluation.json").write_text(json.dumps(details))
    return path


def page_of(capsys, path):
    run(capsys, "report", path)
    page = (path / "report.html").read_text()
    check_alone(page)
    assert "<b>class" not in page
    return page


def matrix_of(page):
    table = re.search(r'<table class="matrix">(.*?)</table>', page, re.DOTALL)[1]
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    return [
        [html.unescape(re.sub(r"<[^>]*>", "", cell)).strip()
         for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)]
        for row in rows
    ]  # fmt: skip


def test_few_classes(capsys):
    page = page_of(capsys, measured(3, without=[2]))
    name = "<b>class {}</b>".format
    assert matrix_of(page) == [
        ["true", name(0), name(1), name(2), "background"],
        [name(0), "0", "1", "0", "0"],
        [name(1), "0", "2", "0", "7"],
        [name(2), "0", "0", "0", "0"],
        ["background", "0", "0", "0", "0"],
    ]
    text = text_of(page)
    assert "<b>class 1</b> 0.250 0.500 2 1" in text and "<b>class 2</b> - - 0 0" in text
    assert "Precision over recall at IoU 0.5" in text and "mean of the classes" in text
    assert "score of at least 0.3" in text


def test_many_classes_keep_the_mistaken_ones(capsys):
    rows = matrix_of(page_of(capsys, measured(80)))
    assert [row[-2:] for row in rows[:1]] == [["65 others", "background"]]
    assert len(rows) == 1 + 15 + 2 and rows[1][:3] == ["<b>class 0</b>", "0", "1"]
    total = sum(int(cell.replace(",", "")) for row in rows[1:] for cell in row[1:])
    assert total == sum(range(1, 81)) + 7


def test_nothing_to_measure(capsys):
    text = text_of(page_of(capsys, measured(2, without=[0, 1])))
    assert "Precision and recall" not in text and "<b>class 1</b> - - 0 0" in text


def test_a_run_from_before(capsys):
    path = measured(2)
    (path / "evaluation.json").unlink()
    assert "AP of each class" in text_of(page_of(capsys, path))


def test_a_damaged_evaluation(capsys):
    from ..conftest import refused

    path = measured(2)
    whole = json.loads((path / "evaluation.json").read_text())
    broken = ["{", '{"curves": 1}', '{"confusion": {"names": []}}', "[]"]
    broken += [json.dumps(whole | {key: {}}) for key in whole]
    short = whole["confusion"] | {"counts": [[1]]}
    broken += [json.dumps(whole | {"confusion": short})]
    for content in broken:
        (path / "evaluation.json").write_text(content)
        assert "evaluation.json" in refused(capsys, "report", path)
    result = json.loads((path / "result.json").read_text())
    for rows in ([1], [{}], [{"class": "a", "ap": "b", "ap50": None, "objects": 1, "pictures": 1}]):
        (path / "result.json").write_text(json.dumps(result | {"per_class": rows}))
        assert "result.json" in refused(capsys, "report", path)


def test_old_logs_say_less_than_nothing(capsys):
    """Of an epoch in which there was nothing to measure."""
    path = training()
    log = next(path.glob("*.log.json"))
    log.write_text(log.read_text().replace('"bbox_mAP_75": 0.2', '"bbox_mAP_75": -1.0'))
    tips = re.findall(r'data-tip="([^"]*)"', page_of(capsys, path))
    assert "epoch 1: AP75 0.100" in tips and not [tip for tip in tips if "-1" in tip]
    assert Path("det/report.html").is_file()
