"""No option takes a number that is none, whatever command has it."""

import click
import pytest

from lightnas.cli.main import cli, main
from lightnas.errors import InputError

from ..conftest import refused

NONE = ("nan", "NaN", "-nan", "inf", "-inf", "Infinity", "1e999")
# Options whose command refuses them, in the words of the library.
LATER = {
    "--time-limit": ["search", "--budget-flops", "1G"],
    "--val-share": ["data", "."],
}


def options():
    """Every option of every command that takes a number with a fraction."""
    for command in cli.commands.values():
        for parameter in command.params:
            if isinstance(parameter, click.Option) and _is_fraction(parameter):
                yield pytest.param(parameter, id=f"{command.name} {parameter.opts[0]}")


def _is_fraction(parameter):
    for text in ("0.5", "1,2", "0,0,1,1,0.5", "0.5s"):
        try:
            value = parameter.type.convert(text, parameter, None)
        except (click.BadParameter, InputError):
            continue
        values = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(one, float) for one in values):
            return True
    return False


def test_all_are_found():
    found = {parameter.id for parameter in options()}
    assert {"export-det --max-ap-loss", "detect --score-thr", "train-det --flip", "search --alpha",
            "train-det --multi-scale", "pareto --budget-flops", "search --within"} <= found  # fmt: skip


@pytest.mark.parametrize("parameter", list(options()))
@pytest.mark.parametrize("text", NONE)
def test_no_number_that_is_none(capsys, parameter, text):
    name = parameter.opts[0]
    if name in LATER:
        assert f"is {float(text)}" in refused(capsys, *LATER[name], name, text)
        return
    row = ",".join([text] * 5) if parameter.name == "alpha" else text
    with pytest.raises((click.BadParameter, InputError)) as refusal:
        parameter.type.convert(row, parameter, None)
    said = str(getattr(refusal.value, "message", refusal.value))
    assert text in said or "inf is not in the range" in said


def test_what_is_said(capsys):
    said = refused(capsys, "detect", "x.onnx", "y.jpg", "--output", "z", "--score-thr", "nan")
    assert "--score-thr" in said and "nan is no finite number" in said
    assert main(["detect", "--help"]) == 0
    assert "0 to 1" in capsys.readouterr().out
