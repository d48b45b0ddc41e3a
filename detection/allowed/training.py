"""What an embedded config may say of its training: runner, optimizer, schedule, hooks, logs and
processes.

No hook here writes elsewhere than into the work directory, and none speaks to a network.
"""

from __future__ import annotations

import copy
from typing import Any

from ..options import OPTIMIZERS
from .parts import MAX_CLASSES, SHARE
from .rules import (
    FLAG,
    NONE,
    Keys,
    Left,
    Rule,
    Types,
    choice,
    either,
    listed,
    mapping,
    number,
    optional,
    section,
    text,
    whole,
)

EPOCHS = whole(1, 10_000)
STEPS = whole(0, 10**9)
EVERY = whole(-1, 10**9)
NAME = text(r"\w+", "a name")
# The detection stage registers itself; until version 0.1 it was called `detection`. Any other import
# would run code.
IMPORTS = {"imports": ["lightnas.detection"], "allow_failed_imports": False}
_OURS = choice("lightnas.detection", "detection")
_IMPORTS = section(
    Keys(
        {"imports": either(_OURS, listed(_OURS, 0, 8)), "allow_failed_imports": FLAG}, ("imports",)
    )
)


def _imports(value: Any, where: str) -> dict[str, Any]:
    """Our own import, which is done by now."""
    _IMPORTS(value, where)
    return copy.deepcopy(IMPORTS)


RUNNER = Types("a runner")
OPTIMIZER = Types("an optimizer")
SCHEDULE = Types("a schedule", by="policy")
LOGGER = Types("a logger")
HOOK = Types("a hook")

RUNNER.types |= {
    **{
        name: Keys({"max_epochs": EPOCHS}, ("max_epochs",))
        for name in ("EpochBasedRunner", "WholeEpochRunner")
    },
    **{
        name: Keys({"max_iters": whole(1, 10**9)}, ("max_iters",))
        for name in ("IterBasedRunner", "WholeIterRunner")
    },
}
# By a part of the weights' names; what mmcv's constructor does with them.
_OF_NAMES = mapping(
    text(r"[\w.]+", "a part of the names of weights"),
    section(Keys({"lr_mult": number(0, 100), "decay_mult": number(0, 100)})),
    most=100,
)
_MULTIPLIERS = section(
    Keys(
        {
            "custom_keys": _OF_NAMES,
            **{
                name: number(0, 100)
                for name in (
                    "bias_lr_mult", "bias_decay_mult", "norm_decay_mult", "dwconv_decay_mult", "dcn_offset_lr_mult",
                )
            },
            "bypass_duplicate": FLAG,
        }
    )
)  # fmt: skip
_OPTIMIZER: dict[str, Rule | Left] = {
    "lr": number(0, 1e38),
    "weight_decay": number(0, 100),
    "paramwise_cfg": optional(_MULTIPLIERS),
}
_ADAM = _OPTIMIZER | {"betas": listed(SHARE, 2, 2), "eps": SHARE, "amsgrad": FLAG}
OPTIMIZER.types |= {
    "SGD": Keys(_OPTIMIZER | {"momentum": SHARE, "dampening": SHARE, "nesterov": FLAG}, ("lr",)),
    "Adam": Keys(_ADAM),
    "AdamW": Keys(_ADAM),
    "MuonAdamW": Keys(_OPTIMIZER | {"betas": listed(SHARE, 2, 2), "eps": SHARE, "momentum": SHARE}),
}
_WARM_UP: dict[str, Rule | Left] = {
    "by_epoch": FLAG,
    "warmup": optional(choice("constant", "linear", "exp")),
    "warmup_iters": STEPS,
    "warmup_ratio": SHARE,
    "warmup_by_epoch": FLAG,
}
_LEAST = {"min_lr": optional(SHARE), "min_lr_ratio": optional(SHARE)}
SCHEDULE.types |= {
    "step": Keys(
        _WARM_UP
        | {
            "step": either(whole(1, 10**9), listed(whole(1, 10**9), 1, 100)),
            "gamma": SHARE,
            "min_lr": optional(SHARE),
        },
        ("step",),
    ),
    "CosineAnnealing": Keys(_WARM_UP | _LEAST),
    "FlatCosineAnnealing": Keys(_WARM_UP | _LEAST | {"start_percent": SHARE}),
    "fixed": Keys(_WARM_UP),
    "poly": Keys(_WARM_UP | {"power": number(0, 10), "min_lr": SHARE}),
    "YOLOX": Keys(_WARM_UP | _LEAST | {"num_last_epochs": EPOCHS}, ("num_last_epochs",)),
}
_LOGGER: dict[str, Rule | Left] = {
    "interval": whole(1, 10**9),
    "by_epoch": FLAG,
    "ignore_last": FLAG,
    "reset_flag": FLAG,
}
LOGGER.types |= {"TextLoggerHook": Keys(_LOGGER), "TensorboardLoggerHook": Keys(_LOGGER)}
# mmcv's loggers that speak to a service: testing and detecting do without them, and a training
# that goes on has to be given them again.
SERVICES = (
    "ClearMLLoggerHook", "DvcliveLoggerHook", "MlflowLoggerHook", "NeptuneLoggerHook",
    "PaviLoggerHook", "SegmindLoggerHook", "WandbLoggerHook",
)  # fmt: skip
_LOGGERS = listed(LOGGER.rule(), 0, 8)


def _loggers(value: Any, where: str) -> Any:
    """The loggers that write into the work directory."""
    if type(value) not in (list, tuple):
        raise _LOGGERS.refuse(value, where)
    here = [one for one in value if not (isinstance(one, dict) and one.get("type") in SERVICES)]
    return _LOGGERS(type(value)(here), where)


_PRIORITY: dict[str, Rule | Left] = {
    "priority": either(
        whole(0, 100),
        choice("HIGHEST", "VERY_HIGH", "HIGH", "ABOVE_NORMAL", "NORMAL", "BELOW_NORMAL", "LOW",
               "VERY_LOW", "LOWEST"),
    )
}  # fmt: skip
HOOK.types |= {
    "ReseedEpochs": Keys(_PRIORITY),
    "BeginRound": Keys(
        _PRIORITY | {"plain": STEPS, "steps": listed(text(r"\w+", "the name of a step"), 0, 16)}
    ),
    "StopEarly": Keys(_PRIORITY | {"patience": EPOCHS}, ("patience",)),
    "NumClassCheckHook": Keys(_PRIORITY),
    "SetEpochInfoHook": Keys(_PRIORITY),
    "CheckInvalidLossHook": Keys(_PRIORITY | {"interval": whole(1, 10**9)}),
    "ExpMomentumEMAHook": Keys(
        _PRIORITY
        | {
            "momentum": SHARE,
            "total_iter": whole(1, 10**9),
            "interval": whole(1, 10**9),
            "skip_buffers": FLAG,
            "resume_from": NONE,
        }
    ),
    "SyncNormHook": Keys(_PRIORITY | {"num_last_epochs": EPOCHS, "interval": EPOCHS}),
    "YOLOXModeSwitchHook": Keys(
        _PRIORITY
        | {
            "num_last_epochs": EPOCHS,
            "skip_type_keys": listed(text(r"\w+", "the name of a step"), 0, 16),
        }
    ),
}
_SCALER = section(
    Keys(
        {
            "init_scale": number(1, 1e9),
            "growth_factor": number(1, 100),
            "backoff_factor": SHARE,
            "growth_interval": whole(1, 10**9),
            "mode": choice("dynamic", "static"),
        }
    )
)

_PIXELS = number(0, 1e9)
# What ``small_sets`` notes of a recipe; it is said, and a run that goes on is built from it.
_SET = section(
    Keys(
        {
            "class_pictures": listed(STEPS, 0, MAX_CLASSES),
            "box": _PIXELS,
            **dict.fromkeys(("pictures", "boxes", "short", "long"), STEPS),
        },
        ("pictures", "boxes", "class_pictures", "short", "long", "box"),
    )
)
_CHOSEN: dict[str, Rule | Left] = {
    "input_size": listed(whole(1, 4096), 2, 2),
    "optimizer": choice(*OPTIMIZERS),
    "learning_rate": number(0, 1e6),
    "momentum": number(1e-9, 1),
    "scale": listed(number(0.01, 10), 2, 2),
    **dict.fromkeys(
        ("iterations", "rounds", "steps", "batch", "warm_up", "momentum_warm_up", "patience"),
        whole(1, 10**9),
    ),
    "plain_rounds": STEPS,
    **dict.fromkeys(("mosaic", "mixup", "colour", "oversample"), SHARE),
}
RECIPE = section(
    Keys(
        {
            "set": _SET,
            "processes": whole(1, 100_000),
            "chosen": section(Keys(_CHOSEN, tuple(_CHOSEN))),
        },
        ("set", "processes", "chosen"),
    )
)

TRAINING: dict[str, Rule | Left] = {
    "recipe": optional(RECIPE),
    "custom_imports": Rule("our own import", _imports),
    "runner": RUNNER.rule(),
    "optimizer": OPTIMIZER.rule(),
    "optimizer_config": optional(
        section(
            Keys(
                {
                    "grad_clip": optional(
                        section(Keys({"max_norm": number(1e-6, 1e6), "norm_type": number(1, 10)}))
                    ),
                    "type": choice("OptimizerHook"),
                    "detect_anomalous_params": FLAG,
                }
            )
        )
    ),
    "lr_config": SCHEDULE.rule(),
    "momentum_config": NONE,
    "evaluation": section(
        Keys(
            {
                "interval": EVERY,
                "dynamic_intervals": optional(listed(listed(EVERY, 2, 2), 1, 16)),
                "start": optional(STEPS),
                "metric": either(choice("bbox", "segm"), listed(choice("bbox", "segm"), 1, 2)),
                "save_best": optional(NAME),
                "rule": optional(choice("greater", "less")),
                "classwise": FLAG,
            }
        )
    ),
    "checkpoint_config": section(
        Keys(
            {
                "interval": EVERY,
                "by_epoch": FLAG,
                "save_optimizer": FLAG,
                "max_keep_ckpts": EVERY,
                "save_last": FLAG,
            }
        )
    ),
    "log_config": section(
        Keys(
            {"interval": whole(1, 10**9), "hooks": Rule(_LOGGERS.expected, _loggers)}, ("interval",)
        )
    ),
    "custom_hooks": optional(listed(HOOK.rule(), 0, 16)),
    "auto_scale_lr": section(Keys({"enable": FLAG, "base_batch_size": whole(1, 100_000)})),
    "fp16": optional(
        section(
            Keys({"loss_scale": either(choice("dynamic"), number(1, 1e9), _SCALER)}),
        )
    ),
    "workflow": listed(listed(either(choice("train"), choice(1)), 2, 2), 1, 1),
    "dist_params": section(Keys({"backend": choice("nccl", "gloo")})),
    "log_level": choice("DEBUG", "INFO", "WARNING", "ERROR"),
    "load_from": NONE,
    "resume_from": NONE,
    "seed": optional(whole(0, 2**32 - 1)),
    "device": choice("cpu", "cuda"),
    "gpu_ids": listed(whole(0, 1023), 0, 1024),
    "opencv_num_threads": whole(0, 64),
    "mp_start_method": choice("fork", "spawn", "forkserver"),
    **dict.fromkeys(
        ("sync_bn", "deterministic", "cudnn_benchmark", "find_unused_parameters"), FLAG
    ),
    "total_epochs": EPOCHS,
}
