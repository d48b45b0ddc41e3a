"""``lightnas validate`` as a user types it: real trainings, tiny."""

import json

import pytest

from lightnas.cli.main import main


@pytest.mark.slow
def test_a_tiny_study_trains_tests_and_reports(tmp_path, capsys):
    data, study = tmp_path / "digits", tmp_path / "study"
    assert main(["demo-data", str(data), "--train", "20", "--val", "4", "--test", "6"]) == 0
    capsys.readouterr()
    asked = [
        "validate", "--data", str(data), "--budget-flops", "10M", "--budget-layers", "13",
        "--max-channels", "64", "--input-size", "64x64", "--structures", "2", "--seeds", "1",
        "--output", str(study), "--json", "--", "--schedule", "1", "--width", "64", "--workers", "0",
    ]  # fmt: skip
    assert main(asked) == 0
    result = json.loads(capsys.readouterr().out)
    assert [(row["structure"], row["seed"]) for row in result["rows"]] == [(0, 0), (1, 0)]
    assert len((study / "study.csv").read_text().splitlines()) == 3
    assert main(["validate", "--resume", "--output", str(study), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == result["rows"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--budget-flops", "10M"], "--data is None"),
        (["--budget-flops", "10M", "--data", "nowhere"], "--data is nowhere"),
        (
            ["--budget-flops", "10M", "--data", ".", "--", "--schedul", "3"],
            "No such option '--schedul'",
        ),
        (["--data", "."], "no budget"),
        (["--data", ".", "--budget-flops", "10M", "--structures", "1"], "--structures"),
    ],
)
def test_mistakes_are_one_line_before_any_work(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["validate", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "outputs").exists()
