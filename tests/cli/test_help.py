"""The pages of ``--help``, and what the shell completes."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from lightnas.cli.main import PIPELINE, cli, main
from lightnas.cli.pages import Option, first_sentence
from lightnas.files import data_folder

from ..conftest import refused, run

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = sorted(cli.commands)
OPTIONS = [
    (name, option)
    for name in COMMANDS
    for option in cli.commands[name].params
    if isinstance(option, click.Option)
]
each_option = pytest.mark.parametrize(
    ("name", "option"), OPTIONS, ids=[f"{name} {option.opts[0]}" for name, option in OPTIONS]
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def page(capsys, monkeypatch, columns, *words):
    monkeypatch.setenv("COLUMNS", str(columns))
    return run(capsys, *words, "--help")


# --- pages ------------------------------------------------------------------------------------------


def examples(text):
    return re.findall(
        r"^ *lightnas (.*)$", text.partition("Example")[2].replace("\\\n", " "), re.MULTILINE
    )


@pytest.mark.parametrize("columns", [120, 80, 60])
@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_pages_fit_the_terminal(capsys, monkeypatch, name, columns):
    text = page(capsys, monkeypatch, columns, *([name] if name else []))
    # That of metavars, A1,...,A5 and IMAGE..., is no cut.
    assert not re.search(r"[a-z]\.\.\.", re.sub(r"\(.*?\)|--budget-\.\.\.", "", text))
    assert max(map(len, text.splitlines())) <= columns


@pytest.mark.parametrize("name", COMMANDS)
def test_every_page_has_an_example_that_can_be_typed(capsys, monkeypatch, folder, name):
    shown = examples(page(capsys, monkeypatch, 80, name))
    assert shown
    txt = data_folder("configs") / "structures/maedet_m.txt"
    (folder / "outputs/maedet-m").mkdir(parents=True)
    shutil.copy(txt, folder / "outputs/maedet-m/structure.txt")
    for line in shown:
        typed, *words = shlex.split(line)
        assert typed == name
        cli.commands[name].make_context(name, words)  # raises what the command would refuse


def test_commands_stand_along_the_pipeline_in_whole_sentences(capsys, monkeypatch):
    assert sorted(one.name for commands in PIPELINE.values() for one in commands) == COMMANDS
    text = " ".join(page(capsys, monkeypatch, 60).split())
    for title, commands in PIPELINE.items():
        assert f"{title}:" in text
        for one in commands:
            sentence = first_sentence(one.help)
            assert sentence.endswith(".") and len(sentence) <= 60
            assert f" {one.name} {sentence}" in text
            assert one.get_short_help_str() == sentence


@each_option
def test_options_are_told_in_one_style(name, option):
    context = click.Context(cli.commands[name])
    left, told = option.get_help_record(context)
    assert isinstance(option, Option) and option.help.endswith("."), option.help
    assert "[" not in option.help and "default" not in told.partition("[")[0]
    end = re.fullmatch(r"[^\[]*?(  \[.+\])?", told)
    assert end, told
    if isinstance(option.type, click.Choice):
        assert left.endswith(" " + "|".join(option.type.choices))
    default = option.to_info_dict()["default"]
    if default is not None and not option.is_flag and not option.multiple:
        assert f"default: {default}" in told


# --- completion ---------------------------------------------------------------------------------------


def completed(capsys, monkeypatch, line):
    """What is offered for the last word of a line, which may be empty."""
    words = line.split(" ")
    with monkeypatch.context() as patch:
        patch.setenv("_LIGHTNAS_COMPLETE", "bash_complete")
        patch.setenv("COMP_WORDS", " ".join(words))
        patch.setenv("COMP_CWORD", str(len(words) - 1))
        assert main([]) == 0
    return [item.partition(",")[2] for item in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("lightnas sea", {"search"}),
        ("lightnas search --preset ", {"maedet-s", "maedet-m", "maedet-l", "damo-t"}),
        ("lightnas search --preset maedet-", {"maedet-s", "maedet-m", "maedet-l"}),
        ("lightnas search --space ", {"k1kxk1", "k1kx", "kxkx"}),
        ("lightnas validate --space k1kxk", {"k1kxk1"}),
        ("lightnas profile --space k1kxk", {"k1kxk1"}),
        ("lightnas pareto --score ", {"entropy", "deepmad", "params", "flops", "layers", "zen"}),
        ("lightnas search --budget-flops 1G --minimise ", {"params", "latency"}),
        ("lightnas search --budget-f", {"--budget-flops"}),
        ("lightnas score maedet-", {"maedet-s", "maedet-m", "maedet-l"}),
        ("lightnas train-det maedet-", {"maedet-s", "maedet-m", "maedet-l"}),
        ("lightnas train-det --device ", {"cpu", "cuda"}),
    ],
)
def test_values_are_completed(capsys, monkeypatch, line, offered):
    found = completed(capsys, monkeypatch, line)
    assert offered <= {*found}
    assert all(word.startswith(line.split(" ")[-1]) for word in found)


def test_completion_runs_and_refuses_nothing(capsys, monkeypatch, folder):
    (folder / "mine.py").write_text("open('ran', 'w')")
    assert completed(capsys, monkeypatch, "lightnas search --import mine.py --preset damo-t") == [
        "damo-t"
    ]
    assert not (folder / "ran").exists()
    completed(capsys, monkeypatch, "lightnas sarch --pre")
    completed(capsys, monkeypatch, "lightnas search --resume --overwrite --budget-flops 1X --pre")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_of_shells(capsys, monkeypatch, shell):
    monkeypatch.setenv("_LIGHTNAS_COMPLETE", f"{shell}_source")
    assert f"_LIGHTNAS_COMPLETE={shell}_complete" in run(capsys)


def test_another_shell_is_refused(capsys, monkeypatch):
    monkeypatch.setenv("_LIGHTNAS_COMPLETE", "tcsh_source")
    assert "tcsh_source" in refused(capsys)


def test_bash_completes(folder):
    """As docs/install.md has it."""
    shim = folder / "lightnas"
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} -m lightnas "$@"\n')
    shim.chmod(0o755)
    line = next(
        line.strip()
        for line in (ROOT / "docs/install.md").read_text().splitlines()
        if "bash_source" in line
    )
    typed = (
        f"{line.partition('#')[0]}\nCOMP_WORDS=(lightnas search --preset maedet-)\nCOMP_CWORD=3\n"
        '_lightnas_completion lightnas; echo "${COMPREPLY[*]}"'
    )
    paths = {"PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", typed], capture_output=True, text=True, env=os.environ | paths
    )
    assert done.stdout.split() == ["maedet-l", "maedet-m", "maedet-s"], done.stderr


# --- what can be installed -----------------------------------------------------------------------------


def test_no_message_installs_what_no_index_has():
    """lightnas stands in no package index: extras are installed from a checkout."""
    told = [*ROOT.glob("*.md"), ROOT / "Makefile"]
    for folder, suffix in (("lightnas", "py"), ("detection", "py"), ("benchmarks", "py"), ("docs", "md")):  # fmt: skip
        told += (ROOT / folder).rglob(f"*.{suffix}")
    assert not [path for path in told if re.search(r"pip install.*lightnas\[", path.read_text())]
