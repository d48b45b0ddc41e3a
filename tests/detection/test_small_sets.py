"""The recipe for small sets in trainings: what is said, measured and kept, and that a run which was
killed in any of its parts ends as the unbroken one."""

import json
import shutil
import signal

import pytest
import torch
from mmdet.core import build_optimizer

from lightnas.detection.allowed.training import OPTIMIZER
from lightnas.detection.checkpoint import read_checkpoint
from lightnas.detection.config import build_config, plain
from lightnas.detection.options import TrainOptions
from lightnas.detection.recipe import SetSize
from lightnas.detection.training import build_model
from lightnas.outputs import record_made

from .test_train import QUICK, call, refused, same, stopped_in_second_epoch

# Three rounds of five steps, the last one without mixed pictures.
AUTO = ["--iterations", 15, *QUICK]


def whole(path):
    """Everything in a checkpoint that the next step depends on, as one flat dict."""
    content = read_checkpoint(path, trust=False)
    state = content["optimizer"]["state"]
    moments = {f"{i} {key}": torch.as_tensor(v) for i, s in state.items() for key, v in s.items()}
    raw = torch.load(path, weights_only=True)["state_dict"]
    return dict(raw) | moments


@pytest.fixture(scope="module")
def unbroken(structure, digits, tmp_path_factory):
    """A work directory of the recipe for small sets, and what was said meanwhile."""
    from lightnas.cli.main import main

    path = tmp_path_factory.mktemp("auto") / "run"
    arguments = ["train-det", structure, "--data", digits, "--work-dir", path, *AUTO]
    assert main([str(argument) for argument in arguments]) == 0
    return path


def test_it_is_the_default_and_says_what_it_chose(unbroken):
    log = "".join(path.read_text() for path in unbroken.glob("*.log"))
    result = json.loads((unbroken / "result.json").read_text())
    for line in result["recipe"]:
        assert line in log
    assert result["recipe"][0].startswith("schedule auto, for 20 pictures with ")
    assert result["recipe"][1].startswith("15 iterations of 4 pictures, 3 times over the set")
    assert (result["epochs"], result["iterations"]) == (3, 15)
    assert len(result["recipe"]) >= 6


def test_ap_on_train_stands_beside_that_on_val(unbroken):
    rows = [
        json.loads(line)
        for path in unbroken.glob("*.log.json")
        for line in path.read_text().splitlines()
    ]
    measured = [row for row in rows if row.get("mode") == "val"]
    assert len(measured) == 3 and all("train_bbox_mAP" in row for row in measured)
    log = "".join(path.read_text() for path in unbroken.glob("*.log"))
    assert log.count("pictures of train: a gap of ") == 3
    assert "AP on train" in (unbroken / "report.html").read_text()


def test_the_average_is_saved_and_measured(unbroken):
    """The weights of a checkpoint are the average; those that are trained lie beside it."""
    weights = torch.load(unbroken / "epoch_3.pth", weights_only=True)["state_dict"]
    key = "bbox_head.gfl_cls.weight"
    assert not torch.equal(weights[key], weights["ema_" + key.replace(".", "_")])
    trained = {name for name in weights if name.startswith("ema_")}
    assert len(trained) == len(weights) - len(trained)


@pytest.mark.parametrize("epoch", [2, 3])
def test_a_killed_run_resumes_to_the_same_bytes(
    capfd, unbroken, structure, digits, tmp_path, epoch
):
    """In a round of mixed pictures, and in the one without."""
    arguments = ["train-det", structure, "--data", digits, "--work-dir", tmp_path / "w", *AUTO]
    assert stopped_in_second_epoch(arguments, signal.SIGKILL, epoch) == -signal.SIGKILL
    assert (tmp_path / f"w/epoch_{epoch - 1}.pth").exists()
    call(capfd, "train-det", "--resume", "--work-dir", tmp_path / "w")
    assert same(whole(unbroken / "epoch_3.pth"), whole(tmp_path / "w/epoch_3.pth"))
    assert (unbroken / "result.json").read_bytes() == (tmp_path / "w/result.json").read_bytes()


def test_it_resumes_with_its_options_given_again(capfd, unbroken, structure, digits, tmp_path):
    run = shutil.copytree(unbroken, tmp_path / "run", symlinks=True)
    again = ("train-det", structure, "--data", digits, "--work-dir", run, "--resume")
    out, _ = call(capfd, *again, "--json", *AUTO)
    assert json.loads(out)["iterations"] == 15
    line = refused(capfd, *again, "--iterations", 20, *QUICK)
    assert "another schedule" in line


def test_a_run_begun_with_adamw_goes_on_with_it(capfd, structure, digits, tmp_path):
    """Its options given again, which need not name what the recipe chose when it began."""
    run = ("train-det", structure, "--data", digits, "--work-dir", tmp_path / "run", "--json")
    short = ("--iterations", 10, *QUICK)
    out, _ = call(capfd, *run, "--optimizer", "adamw", *short)
    (tmp_path / "run/epoch_2.pth").unlink()
    (tmp_path / "run/result.json").unlink()
    again, err = call(capfd, *run, "--resume", *short)
    assert json.loads(again) == json.loads(out) and " AdamW with a learning rate of" in err
    line = refused(capfd, *run, "--resume", "--optimizer", "muon", *short)
    assert "optimizer.type is 'AdamW' there and 'MuonAdamW' here" in line


def test_patience_begins_anew_with_new_data(capfd, unbroken, digits, tmp_path):
    """The best AP of the old ones, long past, ends the run; of new data nothing was seen yet."""
    run = shutil.copytree(unbroken, tmp_path / "run", symlinks=True)
    content = torch.load(run / "epoch_3.pth", weights_only=True)
    content["meta"] |= {"epoch": 2, "iter": 10}
    content["meta"]["hook_msgs"]["best_ckpt"] = "best_bbox_mAP_epoch_1.pth"
    torch.save(content, run / "epoch_2.pth")
    for name in ("result.json", "epoch_3.pth", *(p.name for p in run.glob("best_*"))):
        (run / name).unlink()
    shutil.copy(run / "epoch_2.pth", run / "best_bbox_mAP_epoch_1.pth")
    record_made(run, "best_bbox_mAP_epoch_1.pth")
    config = (run / "config.py").read_text()
    (run / "config.py").write_text(config.replace("'patience': 3, 'p", "'patience': 1, 'p"))
    old = shutil.copytree(run, tmp_path / "old", symlinks=True)
    out, err = call(capfd, "train-det", "--resume", "--work-dir", old, "--json")
    assert "ends after 2 of 3 rounds" in err and json.loads(out)["epochs"] == 2
    data = shutil.copytree(digits, tmp_path / "data")
    file = data / "annotations/instances_val.json"
    changed = json.loads(file.read_text())
    changed["annotations"].pop()
    file.write_text(json.dumps(changed))
    resumed = ("train-det", "--resume", "--work-dir", run, "--json")
    out, err = call(capfd, *resumed, "--data", data, "--new-data")
    assert "on the new data: " in err and json.loads(out)["epochs"] == 3
    meta = read_checkpoint(run / "epoch_3.pth", trust=False)["meta"]
    assert meta["hook_msgs"]["new_data_after"] == 2


@pytest.mark.parametrize(
    ("optimizer", "option"),
    [
        ("sgd", "optimizer.amsgrad=True"),
        ("muon", "optimizer.amsgrad=True"),
        ("adamw", "optimizer.nesterov=True"),
        ("adamw", "optimizer.amsgrad=3"),
        ("muon", "optimizer.momentum=1.0"),
        ("adamw", "optimizer.lr=-1"),
        ("muon", "optimizer.paramwise_cfg.norm_decay_mul=0"),
        ("sgd", "optimizer.paramwise_cfg.custom_keys.backbone=3"),
        ("muon", "optimizer.paramwise_cfg.custom_keys.backbone.lr=3"),
        ("muon", "lr_config.start_precent=0.3"),
    ],
)
def test_settings_are_refused_when_a_run_begins(
    capfd, structure, digits, tmp_path, optimizer, option
):
    """Not after hours, when it goes on."""
    line = refused(capfd, "train-det", structure, "--data", digits, "--work-dir", tmp_path / "w",
                   "--optimizer", optimizer, *AUTO, option)  # fmt: skip
    key = option.partition("=")[0].rpartition(".")[2]
    assert key in line, line
    assert not (tmp_path / "w").exists()


def test_a_part_that_learns_slower(structure):
    """mmcv's custom keys, under either recipe."""
    slower = ["optimizer.paramwise_cfg.custom_keys.backbone.lr_mult=0.1"]
    for given in ({"schedule": "2x"}, {"small": True}):
        options = TrainOptions(structure=structure, width=64, schedule=given.pop("schedule", None),
                               cfg_options=slower)  # fmt: skip
        cfg = build_config(options, "cpu", SetSize(400, 2000, (400,), 192, 192, 35.0), **given)
        model = build_model(cfg, "test")
        optimizer = build_optimizer(model, plain(cfg)["optimizer"])
        rates = {
            id(weight): group["lr"]
            for group in optimizer.param_groups
            for weight in group["params"]
        }
        for name, weight in model.named_parameters():
            expected = cfg.optimizer.lr * (0.1 if name.startswith("backbone.") else 1)
            assert rates[id(weight)] == pytest.approx(expected), name
        assert OPTIMIZER.rule()(plain(cfg)["optimizer"], "optimizer") == plain(cfg)["optimizer"]


def test_an_option_that_makes_the_recipe_unreadable(capfd, structure, digits, tmp_path):
    for option in ("runner.max_epochs=x", "evaluation.interval=x", "data.train.steps=x"):
        line = refused(capfd, "train-det", structure, "--data", digits, "--work-dir",
                       tmp_path / "w", *AUTO, option)  # fmt: skip
        assert "what it says of its training cannot be read" in line
        assert not (tmp_path / "w").exists()


def test_an_average_that_is_damaged_is_refused(capfd, unbroken, tmp_path):
    run = shutil.copytree(unbroken, tmp_path / "run", symlinks=True)
    (run / "result.json").unlink()
    (run / "epoch_3.pth").unlink()
    content = torch.load(unbroken / "epoch_3.pth", weights_only=True)
    content["meta"]["epoch"] = 2
    for damage in (lambda w, k: w.pop(k), lambda w, k: w.update({k: w[k][:1]})):
        damaged = dict(content["state_dict"])
        damage(damaged, "ema_bbox_head_gfl_cls_weight")
        torch.save({**content, "state_dict": damaged}, run / "epoch_2.pth")
        line = refused(capfd, "train-det", "--resume", "--work-dir", run)
        assert "its average of the weights" in line and "epoch_2.pth" in line
