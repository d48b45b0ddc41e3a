"""``--init-from``: a detector that begins from the weights of another, whatever its structure."""

import json
import os
import re
import shutil

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lightnas.backbone import CnnNet
from lightnas.detection.checkpoint import read_checkpoint
from lightnas.detection.config import read_config
from lightnas.detection.initial import backbone_in, begin_from
from lightnas.detection.training import build_model
from lightnas.errors import InputError
from lightnas.network.structure import Structure, format_structures
from lightnas.runs.training_run import TrainingRun

from .conftest import BLOCK, SMALL, STEM
from .test_train import QUICK, call, refused, train

OTHER = [
    {"class": STEM, "in": 3, "out": 12, "s": 2, "k": 5},
    {"class": BLOCK, "in": 12, "out": 20, "s": 2, "k": 5, "L": 2, "btn": 12},
    {"class": BLOCK, "in": 20, "out": 16, "s": 2, "k": 3, "L": 1, "btn": 6},
    {"class": BLOCK, "in": 16, "out": 32, "s": 2, "k": 3, "L": 1, "btn": 8},
    {"class": BLOCK, "in": 32, "out": 48, "s": 1, "k": 3, "L": 1, "btn": 8},
    {"class": "SuperResK1DWK1", "in": 48, "out": 64, "s": 2, "k": 3, "L": 2, "btn": 24},
]


def write(path, blocks):
    path.write_text(format_structures([Structure.from_dicts(blocks)]))
    return path


@pytest.fixture(scope="module")
def run(structure, digits, tmp_path_factory):
    """A small trained detector."""
    from lightnas.cli.main import main

    path = tmp_path_factory.mktemp("initial") / "run"
    arguments = ["train-det", structure, "--data", digits, "--schedule", 1, "--work-dir", path]
    assert main([str(word) for word in [*arguments, *QUICK]]) == 0
    return path


def detector(run, blocks, seed=1):
    """A detector of other blocks with the run's config, as it begins without any weights."""
    cfg = read_config(run / "config.py")
    structure = Structure.from_dicts(blocks)
    cfg.model.backbone.structure_txt = format_structures([structure])
    cfg.model.neck.in_channels = list(structure.widths[1:])
    torch.manual_seed(seed)
    return build_model(cfg, "test"), cfg


def trained(run):
    model, _ = detector(run, SMALL)
    model.load_state_dict(read_checkpoint(run / "epoch_1.pth", trust=False)["state_dict"])
    return model.eval()


def wider(blocks, more=7):
    """Wider everywhere but for what the neck's levels and the head are made of; larger kernels."""
    found = [dict(block) for block in blocks]
    for before, block in zip([None, *found], found, strict=False):
        block["in"] = before["out"] if before else 3
        block["out"] += more
        block["k"] += 2
        if "L" in block:
            block |= {"L": block["L"] + 1, "btn": block["btn"] + more}
    return found


def test_a_detector_carried_to_itself_is_the_same(run):
    model, cfg = detector(run, SMALL)
    begun = begin_from(model, cfg, run / "epoch_1.pth")
    assert begun.carried == 1
    expected = trained(run).state_dict()
    for key, value in model.state_dict().items():
        assert torch.equal(value, expected[key]), key


def test_a_wider_and_deeper_detector_finds_the_same(run):
    """Its neck reads the channels that came along, and nothing of the new ones."""
    model, cfg = detector(run, wider(SMALL))
    begun = begin_from(model, cfg, run / "epoch_1.pth")
    assert 0.1 < begun.carried < 1 and "100.0% of those that it has" in begun.said
    picture = torch.randn(1, 3, 96, 64)
    with torch.no_grad():
        found = [net.forward_dummy(picture) for net in (trained(run), model.eval())]
    for before, after in zip(*([x for kind in one for x in kind] for one in found), strict=True):
        assert torch.allclose(before, after, atol=1e-4 * float(before.abs().max()))


def test_another_structure_from_the_command_line(capfd, run, digits, tmp_path):
    path = write(tmp_path / "other.txt", OTHER)
    result, err = train(capfd, path, digits, tmp_path / "w", "--init-from", run)
    assert 0 < result["carried"] < 1
    begun = json.loads((tmp_path / "w/initial.json").read_text())
    assert begun["carried"] == result["carried"] and begun["said"] in err
    assert begun["given"] == str(run) and begun["checkpoint"] == str(TrainingRun(run).best)
    assert json.loads((tmp_path / "w/result.json").read_text())["carried"] == result["carried"]
    out, _ = call(capfd, "train-det", "--resume", "--work-dir", tmp_path / "w")
    assert f"carried: {result['carried']:.1%} of the backbone's parameters" in out
    assert "backbone carried over" in (tmp_path / "w/report.html").read_text()
    # And back, from what is no block type of the other.
    result, _ = train(capfd, run / "structure.txt", digits, tmp_path / "back",
                      "--init-from", tmp_path / "w/latest.pth")  # fmt: skip
    assert 0 < result["carried"] < 1


@pytest.mark.parametrize("prefix", ["", "body.", "backbone.body.", "module.backbone."])
@pytest.mark.parametrize("blocks", [SMALL, OTHER, wider(SMALL)], ids=["same", "other", "wider"])
def test_the_weights_of_a_backbone_alone(run, tmp_path, prefix, blocks):
    """As any tool saves them: nothing says the structure."""
    net = CnnNet(blocks)
    torch.save({f"{prefix}{k}": v for k, v in net.state_dict().items()}, tmp_path / "b.pth")
    for target in (SMALL, OTHER):
        model, cfg = detector(run, target)
        begun = begin_from(model, cfg, tmp_path / "b.pth")
        # What is smaller everywhere has all of its weights from there, too.
        assert (begun.carried == 1) == (
            blocks is target or (blocks[-1]["btn"] == 23 and target is SMALL)
        )
        assert "neck and head: 0 of" in begun.said and "classifier: 0 of 10" in begun.said
        assumed = "of its 6 blocks, 0, 1, 3, 4, 5 are taken to have stride 2" in begun.said
        assert assumed == (blocks is OTHER and target is SMALL)


def test_the_classifier_by_names(run, tmp_path):
    """Classes in another order, some of them others: what was learnt of a name goes to that name."""
    content = torch.load(run / "epoch_1.pth", weights_only=True)
    names = content["meta"]["CLASSES"]
    content["meta"]["CLASSES"] = ["none", *reversed(names[2:]), "nor this"]
    torch.save(content, tmp_path / "c.pth")
    model, cfg = detector(run, SMALL)
    fresh = detector(run, SMALL)[0].state_dict()
    begun = begin_from(model, cfg, tmp_path / "c.pth")
    assert "classifier: 8 of 10 classes" in begun.said
    for part in ("weight", "bias"):
        key = f"bbox_head.gfl_cls.{part}"
        own, theirs = model.state_dict()[key], content["state_dict"][key]
        assert torch.equal(own[2:], theirs[1:9].flip(0)) and torch.equal(own[:2], fresh[key][:2])
    del content["meta"]["CLASSES"]
    torch.save(content, tmp_path / "c.pth")
    model, cfg = detector(run, SMALL)
    assert "classifier: 0 of 10" in begin_from(model, cfg, tmp_path / "c.pth").said
    assert torch.equal(model.state_dict()[key], fresh[key])


# --- going on -------------------------------------------------------------------------------------------------------


def test_a_run_that_goes_on_reads_it_again_only_where_it_has_nothing(
    capfd, run, structure, digits, tmp_path
):
    source = shutil.copy(run / "epoch_1.pth", tmp_path / "source.pth")
    path, w = write(tmp_path / "wide.txt", wider(SMALL)), tmp_path / "w"
    result, _ = train(capfd, path, digits, w, "--init-from", source)
    weights = read_checkpoint(w / "epoch_1.pth", trust=False)["state_dict"]
    # As a kill leaves it before the first checkpoint.
    for name in ("epoch_1.pth", "latest.pth", "result.json", *(p.name for p in w.glob("best_*"))):
        (w / name).unlink()
    other = ("--resume", "--init-from", run / "epoch_1.pth")
    line = refused(capfd, "train-det", path, "--data", digits, "--schedule", 1, "--work-dir", w,
                   *QUICK, *other)  # fmt: skip
    assert f"the run in {w} began from {source}" in line and "--resume alone" in line
    out, _ = call(capfd, "train-det", "--resume", "--work-dir", w, "--json")
    assert json.loads(out)["carried"] == result["carried"]
    again = read_checkpoint(w / "epoch_1.pth", trust=False)["state_dict"]
    assert all(torch.equal(value, again[key]) for key, value in weights.items())
    # From here on it needs the file no more.
    (tmp_path / "source.pth").unlink()
    (w / "result.json").unlink()
    out, _ = call(capfd, "train-det", "--resume", "--work-dir", w, "--json",
                  "--init-from", source)  # fmt: skip
    assert json.loads(out) == result
    for name in ("epoch_1.pth", "result.json", *(p.name for p in w.glob("best_*"))):
        (w / name).unlink()
    line = refused(capfd, "train-det", "--resume", "--work-dir", w)
    assert f"--init-from {source} does not exist" in line
    (w / "initial.json").write_text('{"carried": 2}')
    line = refused(capfd, "train-det", "--resume", "--work-dir", w)
    assert "initial.json: " in line and "--overwrite starts anew" in line


def test_a_run_that_began_without_goes_on_without(capfd, run):
    line = refused(capfd, "train-det", "--resume", "--work-dir", run, "--init-from", run)
    assert f"the run in {run} began without" in line


def test_the_run_is_not_overwritten_that_it_begins_from(capfd, run, structure, digits):
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    line = refused(capfd, "train-det", structure, "--data", digits, "--work-dir", run,
                   "--init-from", run, "--overwrite", *QUICK)  # fmt: skip
    assert "which is read" in line
    assert {name: (run / name).read_bytes() for name in before} == before


# --- mistakes -------------------------------------------------------------------------------------------------------


def state(tmp_path, change):
    weights = dict(CnnNet(SMALL).state_dict())
    change(weights)
    torch.save(weights, tmp_path / "b.pth")
    return tmp_path / "b.pth"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: p / "nowhere.pth", "nowhere.pth does not exist, expected a checkpoint"),
        (lambda p: p, "holds no config.py"),
        (lambda p: write(p / "s.txt", SMALL), "is no checkpoint"),
        (lambda p: state(p, lambda w: w.clear()), "holds no weights"),
        (lambda p: state(p, lambda w: [w.pop(k) for k in list(w)[:-1]]), "holds no backbone"),
        (
            lambda p: state(p, lambda w: w.update({f"teacher.{k}": v for k, v in w.items()})),
            "holds 2 backbones (, teacher.), expected one",
        ),
        (
            lambda p: state(p, lambda w: w["block_list.0.bn1.bias"].fill_(float("nan"))),
            "1 of its weights hold NaN or infinity (backbone.body.block_list.0.bn1.bias)",
        ),
        (
            lambda p: state(p, lambda w: w.update({"block_list.0.bn1.bias": torch.zeros(3)})),
            "block_list.0.bn1.bias is (3,)",
        ),
        (
            lambda p: state(p, lambda w: [w.pop(k) for k in list(w) if ".4." in k]),
            "holds 4 blocks, expected the 5 or more",
        ),
    ],
    ids=["absent", "folder", "text", "empty", "none", "two", "nan", "shape", "part"],
)
def test_mistakes(capfd, structure, digits, tmp_path, make, said):
    line = refused(capfd, "train-det", structure, "--data", digits, "--schedule", 1,
                   "--work-dir", tmp_path / "w", "--init-from", make(tmp_path), *QUICK)  # fmt: skip
    assert said in line and str(tmp_path) in line
    assert not (tmp_path / "w").exists()


def test_one_way_to_begin(capfd, run, structure, digits, tmp_path):
    line = refused(capfd, "train-det", structure, "--data", digits, "--work-dir", tmp_path / "w",
                   "--init-from", run, "--load-from", run / "epoch_1.pth", *QUICK)  # fmt: skip
    assert "--init-from" in line and "--load-from" in line and "both given" in line


def test_a_backbone_that_is_none_of_ours(run):
    cfg = read_config(run / "config.py")
    cfg.model.backbone = {"type": "ResNet", "depth": 18}
    with pytest.raises(InputError, match="is ResNet, expected MadNas"):
        begin_from(torch.nn.Identity(), cfg, run / "epoch_1.pth")


# --- configs of strangers -------------------------------------------------------------------------------------------

PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
KEYS = PLAIN | st.sampled_from(["model", "backbone", "type", "structure_txt", "custom_imports"])
VALUES = st.recursive(
    PLAIN, lambda x: st.lists(x, max_size=3) | st.dictionaries(KEYS, x, max_size=3), max_leaves=8
)


@st.composite
def configs(draw):
    """What a stranger may have put where a checkpoint carries its config: wrong at some depth."""
    value = draw(VALUES)
    deep = draw(st.integers(0, 5))
    if deep > 3:
        value = {"type": "MadNas", "structure_txt": value}
    if deep > 2:
        value = {"backbone": value} if deep < 5 else {"backbone": [value]}
    if deep > 1:
        value = {"model": value, **draw(st.dictionaries(KEYS, VALUES, max_size=2))}
    return repr(value) if deep > 0 and draw(st.booleans()) else draw(st.just(value) | st.text())


@given(config=configs())
def test_configs_of_strangers_are_one_line(run, config):
    """Never a traceback, and no path in them is opened; where they say nothing, shapes do."""
    content = read_checkpoint(run / "epoch_1.pth", trust=False)
    content["meta"]["lightnas_config"] = config
    own, target = content["state_dict"], Structure.from_dicts(SMALL)
    try:
        found = backbone_in(content, own, target, "init_from c.pth")
    except InputError as error:
        assert re.fullmatch(r"init_from c\.pth: its config.*expected.*", str(error)), error
    else:
        assert found.structure == target


def embedded(structure_txt):
    """A config that says this of its structure, as a checkpoint carries it."""
    return repr({"model": {"backbone": {"type": "MadNas", "structure_txt": str(structure_txt)}}})


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (lambda p: "[1]", "its config cannot be read"),
        (lambda p: 7, "its config cannot be read"),
        (lambda p: repr({"model": {"backbone": "x"}}), "model.backbone is 'x', expected a dict"),
        (lambda p: embedded(p / "pipe"), "model.backbone.structure_txt is "),
        (lambda p: embedded(write(p / "s.txt", SMALL)), "model.backbone.structure_txt is "),
        (
            lambda p: embedded("{'best_structures': [[]]}"),
            "model.backbone.structure_txt structure 0",
        ),
    ],
    ids=["list", "number", "backbone", "pipe", "path", "empty"],
)
def test_configs_of_strangers(capfd, run, structure, digits, tmp_path, config, said):
    """A pipe would never end; a txt that is there is still none of the checkpoint's."""
    os.mkfifo(tmp_path / "pipe")
    content = torch.load(run / "epoch_1.pth", weights_only=True)
    content["meta"]["lightnas_config"] = config(tmp_path)
    torch.save(content, tmp_path / "c.pth")
    line = refused(capfd, "train-det", structure, "--data", digits, "--schedule", 1,
                   "--work-dir", tmp_path / "w", "--init-from", tmp_path / "c.pth", *QUICK)  # fmt: skip
    assert f"--init-from {tmp_path / 'c.pth'}: its config" in line and said in line, line
