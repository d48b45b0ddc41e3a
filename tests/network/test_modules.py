"""Modules of the user's own: what they add is tried, and works in every command and process."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from lightnas.cli.main import main
from lightnas.errors import InputError
from lightnas.network import blocks, modules
from lightnas.network.blocks import BLOCKS, BlockType, Conv, Layer
from lightnas.network.modules import check_block_type, import_module, imported
from lightnas.search import space_file

PAGE = Path(__file__).parents[2] / "docs" / "blocks.md"


def page():
    """The code and the space file of docs/blocks.md."""
    text = PAGE.read_text()
    indented = [t for t in re.findall(r"(?:^(?:    .*)?\n)+", text, re.MULTILINE) if t.strip()]
    return ["\n".join(line[4:] for line in t.splitlines()) for t in indented[:2]]


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """Every test begins with our blocks alone."""
    before = dict(BLOCKS)
    monkeypatch.setattr(modules, "_imported", [])
    monkeypatch.setattr(space_file, "SPACES", {})
    yield
    BLOCKS.clear()
    BLOCKS.update(before)


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A folder with the page's module and space."""
    code, space = page()
    (tmp_path / "mine.py").write_text(code)
    (tmp_path / "space.yaml").write_text(space)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(capsys, *arguments, status=0):
    assert main([str(argument) for argument in arguments]) == status
    out, err = capsys.readouterr()
    return out if status == 0 else err


BUDGETS = ("--budget-flops", "1G", "--budget-params", "1M", "--evaluations", "2000")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("name", ["mine.py", "mine"])
def test_a_block_of_ones_own_on_the_command_line(capsys, mine, monkeypatch, workers, name):
    monkeypatch.syspath_prepend(mine)
    monkeypatch.setenv("PYTHONPATH", str(mine))
    add = ("--import", name)
    search = ("search", "--space", "space.yaml", *BUDGETS, "--output", "run", "--json")
    assert "class is 'ResKX'" in call(capsys, *search, status=2)
    found = json.loads(call(capsys, *search, *add, "--workers", workers))
    assert found["proven_optimal"]
    (first, *_) = json.loads(call(capsys, "score", "run", "--json", *add))["structures"]
    assert first["score"] == found["score"] and first["params"] == found["params"]
    assert "ResKX" in call(capsys, "export-structure", "run", *add)
    call(capsys, *search, "--resume", *add)


def test_without_the_import_a_run_is_refused_by_class(capsys, mine):
    call(
        capsys,
        "search",
        "--import",
        "mine.py",
        "--space",
        "space.yaml",
        *BUDGETS,
        "--output",
        "run",
    )
    del BLOCKS["ResKX"]
    assert "class is 'ResKX'" in call(capsys, "score", "run", status=2)


def test_a_space_of_ones_own(capsys, mine):
    code, space = page()
    (mine / "mine_space.py").write_text(
        f"{code}\nimport yaml\nfrom lightnas.search.space_file import SPACES\n"
        f"SPACES['reskx'] = yaml.safe_load('''{space}''')\n"
    )
    words = ("search", "--space", "reskx", *BUDGETS, "--json")
    found = json.loads(call(capsys, *words, "--import", "mine_space.py", "--output", "run"))
    assert found["proven_optimal"] and "reskx" in space_file.space_names()
    # The run holds the space: its config says it all, but for the module.
    again = ("search", "--config", "run/config.yaml", "--import", "mine_space.py", "--json")
    assert json.loads(call(capsys, *again, "--output", "more"))["score"] == found["score"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, r"cannot be imported \(FileNotFoundError: mine_bad.py is no file"),
        ("1 / 0", r"cannot be imported \(ZeroDivisionError: division by zero"),
        ("def", r"cannot be imported \(SyntaxError"),
        ("raise SystemExit(3)", r"cannot be imported \(SystemExit: 3"),
        ("BLOCKS['mine'] = 3", "BLOCKS\\['mine'\\] is 3, expected a BlockType"),
        ("BLOCKS['SuperResKXKX'] = BLOCKS['SuperResK1KX']", "replaces the block SuperResKXKX"),
        ("del BLOCKS['SuperResKXKX']", "replaces the block SuperResKXKX"),
        ("BLOCKS['mine'] = BlockType(('in', 'out', 's'), BLOCKS['ConvKXBNRELU'].layer)", "block mine: has no key 'k'"),
        ("BLOCKS['mine'] = BlockType(('in', 'out', 's', 'k', 'w'), None)", "block mine: has the key 'w'"),
        ("BLOCKS['mine'] = BlockType(('in', 'out', 's', 'k'), lambda b, f: b.x)", r"\(AttributeError"),
    ],
)  # fmt: skip
def test_what_is_no_such_module_is_one_line(capsys, mine, text, said):
    if text is not None:
        (mine / "mine_bad.py").write_text(
            f"from lightnas.network.blocks import BLOCKS, BlockType\n{text}\n"
        )
    before = dict(BLOCKS)
    err = call(capsys, "score", "maedet-s", "--import", "mine_bad.py", status=2)
    assert re.match(rf"lightnas: --import mine_bad.py: .*{said}", err) and err.count("\n") == 1
    assert before == BLOCKS and imported() == ()


def test_a_module_that_there_is_not(capsys, mine):
    err = call(capsys, "score", "maedet-s", "--import", "mine_nowhere", status=2)
    assert "--import mine_nowhere: cannot be imported (ModuleNotFoundError" in err


def test_a_module_runs_once(mine):
    (mine / "mine_once.py").write_text("with open('ran', 'a') as file: file.write('x')")
    import_module("mine_once.py")
    import_module("./mine_once.py")
    import_module(str(mine / "mine_once.py"))
    assert Path("ran").read_text() == "x" and len(imported()) == 1


# --- formulas that a bound cannot rely on ---------------------------------------------------------------------------


def layer_of(squeezed=None, wide=None, last=None):
    """A two-convolution layer whose middle is ``wide(btn)`` channels, and whose end ``last(out)``."""

    def layer(block, first):
        c_in = block.c_in if first else block.c_out
        stride = block.stride if first else 1
        middle = wide(block.btn) if wide else block.btn
        end = last(block.c_out) if last else block.c_out
        return Layer(
            main=(Conv("conv1", c_in, middle, 1), Conv("conv2", middle, end, block.k, stride))
        )

    return BlockType(("in", "out", "s", "k", "L", "btn"), layer)


@pytest.mark.parametrize(
    ("block_type", "said"),
    [
        (replace(BLOCKS["SuperResK1DWSEK1"], btn_step=1), "no quadratic in btn.*btn_step"),
        (layer_of(wide=lambda btn: btn // 16 * 16), "no quadratic in btn"),
        (layer_of(wide=lambda btn: btn**3), "no quadratic in btn"),
        (layer_of(wide=lambda btn: 512 - 2 * btn), "no quadratic in btn with coefficients"),
        (layer_of(wide=lambda btn: btn + 8), "several weights of log btn|not linear in log btn"),
        (layer_of(last=lambda out: out + 8), "does not end with 'out' channels"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_block_that_would_make_a_false_certificate_is_refused(monkeypatch, block_type, said):
    monkeypatch.setitem(blocks.BLOCKS, "mine", block_type)
    with pytest.raises(InputError, match=f"x: block mine: .*({said})"):
        check_block_type("mine", "x: block mine")


@pytest.mark.parametrize("kind", BLOCKS)
def test_our_own_blocks_pass(kind):
    check_block_type(kind, kind)


def test_every_command_that_meets_structures_takes_it():
    from lightnas.cli.main import cli

    without = {
        name
        for name, command in cli.commands.items()
        if not any("--import" in parameter.opts for parameter in command.params)
    }
    assert without == {"data", "demo-data", "setup-det", "doctor"}
