"""How far a check is: a bar on a terminal, one line in a log, nothing where it is short."""

import io
import sys

import pytest

from lightnas.data.progress import progress


class Stream(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_said(monkeypatch, terminal):
    monkeypatch.setattr(sys, "stderr", stream := Stream(terminal))
    with progress(10, "checking [10] pictures", long=True) as say:
        for done in range(11):
            say(done)
    said = stream.getvalue()
    assert ("100%" in said) == terminal and "checking [10] pictures" in said
    assert terminal or said == "checking [10] pictures\n"


def test_short_work_is_silent(monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream := Stream(True))
    with progress(10, "checking", long=False) as say:
        say(5)
    assert stream.getvalue() == ""
