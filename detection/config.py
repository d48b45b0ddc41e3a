"""The mmdet config of a run: read, put together from structure, data and options, written down."""

from __future__ import annotations

import json
import os
import pprint
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmcv import Config, ConfigDict, DictAction
from mmcv.utils import import_modules_from_strings

from lightnas.data.coco import SPLITS, CocoSplit
from lightnas.documents import dicts_in
from lightnas.errors import InputError, nearest, shown
from lightnas.files import data_file
from lightnas.network.stages import chosen_stages
from lightnas.network.structure import Structure
from lightnas.runs.training_run import ANNOTATIONS

from .madnas import load_structure
from .options import (
    MULTI_SCALE,
    SCHEDULES,
    TEST_SIZE,
    WIDTHS,
    TrainOptions,
    check_length,
    check_pictures,
)
from .recipe import SetSize, averaging
from .settings import (
    innermost_dataset,
    keep_negatives,
    set_batch,
    set_flip,
    set_optimizer,
    set_scales,
    set_schedule,
    set_width,
    settle_rate,
)
from .small_sets import (
    KEY,
    add_average,
    made_for,
    recipe_begun,
    set_iterations,
    steps_of,
    write_recipe,
)
from .theirs import in_our_words, read_with_bases

# Names that a config is put together with, and that nothing reads afterwards: left in, they would
# say what is no longer so.
SCAFFOLDING = ("width", "img_norm_cfg", "train_pipeline", "test_pipeline", "data_root")
# What is read of a config key by key.
SECTIONS = (
    "runner", "optimizer", "lr_config", "evaluation", "log_config", "checkpoint_config", "auto_scale_lr",
)  # fmt: skip
COUNTS = (
    ("data", "samples_per_gpu", 1),
    ("data", "workers_per_gpu", 0),
    ("log_config", "interval", 1),
)
# Sections that a config need not have for an option to write into them.
OPEN = ("paramwise_cfg", "custom_keys")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
OLD_NAMES = {"detection": "lightnas.detection"}
RUNNERS = {"EpochBasedRunner": "WholeEpochRunner", "IterBasedRunner": "WholeIterRunner"}


def build_config(
    options: TrainOptions,
    device: str,
    size: SetSize | None = None,
    processes: int = 1,
    small: bool = False,
    begun: Config | None = None,
) -> Config:
    """The config of a training run: the published recipe, the one for small sets or the user's own,
    with structure and options written in.

    Args:
        size: of the train split, where it is known.
        processes: that train together.
        small: take the recipe for small sets.
        begun: the config of the run that goes on, whose choices stay where no option asks for
            something else.

    Raises:
        InputError: the config cannot be read, or an option does not fit it.
    """
    check_length(options)
    cfg = read_config(
        options.config or data_file("configs", f"detection/gfl_maedet_{options.size or 'm'}.py")
    )
    if options.structure is not None:
        kind = (cfg.model.get("backbone") or {}).get("type")
        if kind != "MadNas":
            raise InputError(
                f"{options.config}: its backbone is {kind}, expected MadNas for a structure"
            )
        cfg.model.backbone.structure_txt = str(options.structure)
    if options.width or options.size:
        set_width(cfg, options.width or WIDTHS[str(options.size)])
    if options.schedule and not small:
        set_schedule(cfg, options.schedule)
    if options.optimizer:
        set_optimizer(cfg, options.optimizer, begun)
    recipe = None
    if small and size is not None:
        chosen = recipe_begun(plain(begun).get(KEY)) if begun is not None else None
        recipe = made_for(options, size, processes, chosen and chosen[1])
    shape, scale = options.input_size, options.multi_scale
    if recipe is not None:
        shape, scale = recipe.input_size, recipe.scale
    if shape or scale:
        check_pictures(shape or TEST_SIZE, scale or MULTI_SCALE)
        set_scales(cfg, shape or TEST_SIZE, scale or MULTI_SCALE)
    if options.flip is not None:
        set_flip(cfg, options.flip)
    if options.batch:
        cfg.data.samples_per_gpu = options.batch
    cfg.data.workers_per_gpu = (
        options.workers if options.workers is not None else cfg.data.get("workers_per_gpu", 2)
    )
    keep_negatives(cfg)
    if recipe is not None and size is not None:
        write_recipe(cfg, recipe, size, processes)
    elif options.iterations:
        set_iterations(cfg, options.iterations)
    if options.ema:
        add_average(cfg, *averaging(steps_of(cfg, size, processes)))
    merge_options(cfg, options.cfg_options)
    settle_rate(cfg, options.optimizer, processes)
    if isinstance(cfg.data.get("train"), dict):
        set_batch(cfg)
    use_structure(cfg)
    _use_runner(cfg)
    cfg.seed, cfg.device = options.seed or cfg.get("seed") or 0, device
    if options.amp:
        cfg.fp16 = {"loss_scale": "dynamic"}
    for name in SCAFFOLDING:
        cfg.pop(name, None)
    return cfg


def as_begun(cfg: Config, begun: Config) -> None:
    """Leave out pictures without objects where the run that goes on does, an older one; and bring
    what that one says to the words of today."""
    in_our_words(begun, None)
    if "filter_empty_gt" not in innermost_dataset(begun.data.get("train") or ConfigDict()):
        innermost_dataset(cfg.data.get("train") or ConfigDict()).pop("filter_empty_gt", None)


def _use_runner(cfg: Config) -> None:
    """What every run has, also with a user's own config: whole checkpoints, the best one kept,
    epochs that can be redone."""
    cfg.setdefault(
        "runner",
        {"type": "EpochBasedRunner", "max_epochs": SCHEDULES["1x"].epochs},
    )
    cfg.runner.type = RUNNERS.get(cfg.runner.type, cfg.runner.type)
    cfg.setdefault("evaluation", {})
    cfg.evaluation.setdefault("save_best", "bbox_mAP")
    hooks = list(cfg.get("custom_hooks") or [])
    if not any(hook.get("type") == "ReseedEpochs" for hook in hooks):
        cfg.custom_hooks = [*hooks, {"type": "ReseedEpochs"}]


def read_config(path: Path) -> Config:
    """An mmdet config file.

    Raises:
        InputError: it cannot be read, does not run, or has no model.
    """
    try:
        cfg = read_with_bases(path)
        rename_imports(cfg)
    except Exception as error:  # a config is a program: anything can go wrong in it
        raise InputError(
            f"{path}: is no mmdet config ({type(error).__name__}: {str(error)[:120]})"
        ) from error
    import_modules(cfg, str(path))
    check_sections(cfg, str(path))
    in_our_words(cfg, path)
    return cfg


def import_modules(cfg: Config, source: str) -> None:
    """Import what a config asks for, which runs code: of a user's own config only, or a trusted one.

    Raises:
        InputError: it cannot be imported.
    """
    try:
        if cfg.get("custom_imports"):
            import_modules_from_strings(**cfg.custom_imports)
    except Exception as error:  # a module is a program too
        raise InputError(
            f"{source}: is no mmdet config ({type(error).__name__}: {str(error)[:120]})"
        ) from error


def check_sections(cfg: Config, source: str) -> None:
    """Refuse a config whose sections, as far as they are read key by key, are none.

    Raises:
        InputError: the first that is missing, no section, or holds something else than it should.
    """
    for key in ("model", "data"):
        if not isinstance(cfg.get(key), dict):
            raise InputError(f"{source}: has no '{key}', expected an mmdet config of a detector")
    sections = {key: cfg.get(key) for key in SECTIONS}
    sections["model.backbone"] = cfg.model.get("backbone")
    sections |= {f"data.{name}": cfg.data.get(name) for name in SPLITS}
    for key, value in sections.items():
        if value is not None and not isinstance(value, dict):
            raise InputError(f"{source}: {key} is {shown(value)}, expected a dict")
    for section, key, least in COUNTS:
        value = (cfg.get(section) or {}).get(key, least)
        if type(value) is not int or value < least:
            raise InputError(
                f"{source}: {section}.{key} is {shown(value)}, expected a whole number from {least}"
            )
    hooks = cfg.get("custom_hooks") or []
    if not isinstance(hooks, list | tuple) or not all(isinstance(hook, dict) for hook in hooks):
        raise InputError(f"{source}: custom_hooks is {shown(hooks)}, expected a list of dicts")
    if cfg.get("log_level", "INFO") not in LOG_LEVELS:
        raise InputError(
            f"{source}: log_level is {shown(cfg.log_level)}, expected one of {', '.join(LOG_LEVELS)}"
        )


def rename_imports(content: Any) -> None:
    """Until version 0.1 the detection stage was called ``detection``: runs and configs of then say
    so."""
    asked = content.get("custom_imports")
    if isinstance(asked, dict) and "imports" in asked:
        names = [asked["imports"]] if isinstance(asked["imports"], str) else asked["imports"]
        asked["imports"] = [OLD_NAMES.get(name, name) for name in names or ()]


def format_config(cfg: Config) -> str:
    """A config as text that mmcv reads back, whatever its strings hold (mmcv's own text breaks on
    quotes)."""
    return (
        "\n".join(
            f"{key} = {pprint.pformat(value, width=120, sort_dicts=False, compact=True)}"
            for key, value in plain(cfg).items()
        )
        + "\n"
    )


def plain(cfg: Config) -> dict[str, Any]:
    """The config as dicts and lists of Python's own, a literal."""
    content: dict[str, Any] = cfg._cfg_dict.to_dict()
    return content


def merge_options(cfg: Config, cfg_options: Sequence[str]) -> None:
    """Write ``key.of.the.config=value`` options into a config, values spelled as for mmdet's own
    tools.

    Raises:
        InputError: no such key, or no value.
    """
    for option in cfg_options:
        key, equals, value = option.partition("=")
        if not equals or not key:
            raise InputError(f"cfg_options {option}, expected KEY=VALUE such as optimizer.lr=0.01")
        _check_key(cfg, key)
        try:
            cfg.merge_from_dict({key: DictAction._parse_iterable(value)})
        except (
            AssertionError,
            TypeError,
            KeyError,
            IndexError,
            ValueError,
            AttributeError,
        ) as error:
            raise InputError(
                f"cfg_options {option} does not fit the config ({str(error)[:80]})"
            ) from error
        check_sections(cfg, f"cfg_options {option}")


def _check_key(cfg: Config, key: str) -> None:
    """Every part but the last must be there: a typo would else train something else than was asked
    for."""
    node: Any = cfg._cfg_dict
    *parents, last = key.split(".")
    if [*parents, last][0] == KEY:
        raise InputError(
            f"cfg_options {key}: {KEY} is what was chosen, expected the key that it was written to, "
            "such as optimizer.lr"
        )
    for part in parents:
        if part in OPEN:
            return  # what names are in it, the optimizer says
        if isinstance(node, dict) and isinstance(node.get(part), dict | list | tuple):
            node = node[part]
        elif isinstance(node, list | tuple) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        else:
            known = node if isinstance(node, dict) else map(str, range(len(node)))
            raise InputError(
                f"cfg_options {key}: no '{part}' in the config, {nearest(part, known)}"
            )
    if not parents and last not in node:
        raise InputError(f"cfg_options {key}: no '{last}' in the config, {nearest(last, node)}")


def use_structure(cfg: Config) -> None:
    """Write the text of a MadNas structure into the config, and its widths into the neck.

    Raises:
        InputError: the config's structure is none.
    """
    backbone, neck = cfg.model.get("backbone") or ConfigDict(), cfg.model.get("neck")
    if backbone.get("type") != "MadNas":
        return
    if not isinstance(backbone.get("structure_txt"), str):
        raise InputError(
            f"the config's structure_txt is {shown(backbone.get('structure_txt'))}, expected a structure txt"
        )
    structure = load_structure(backbone.structure_txt)
    backbone.structure_txt = one_line(structure)
    stages = chosen_stages(tuple(backbone.get("out_indices", (1, 2, 3, 4))))
    first = neck[0] if isinstance(neck, list) else neck
    if isinstance(first, dict) and "in_channels" in first:
        first["in_channels"] = [structure.widths[i] for i in stages]


def one_line(structure: Structure) -> str:
    """A structure txt on one line."""
    return json.dumps({"space_arch": "CnnNet", "best_structures": [structure.to_dicts()]})


def use_data(cfg: Config, splits: dict[str, CocoSplit]) -> None:
    """Write paths and classes of the data into the config, and the number of classes into every
    head."""
    for name in SPLITS:
        split = splits.get(name)
        part = cfg.data.get(name)
        if split is None or part is None:
            continue
        part = innermost_dataset(part)
        # A link to a source that is canonical stays a link: the run has its data by its own name.
        part.ann_file = os.path.abspath(split.annotations)
        part.img_prefix = f"{split.images.resolve()}/"
        part.classes = tuple(split.classes)
        part.pop("data_root", None)
    if splits:
        n_classes = len(next(iter(splits.values())).classes)
        for node in dicts_in(cfg.model):
            if "num_classes" in node:
                node.num_classes = n_classes


def datasets_of(cfg: Config) -> dict[str, ConfigDict]:
    """The sections of a config that name the annotations and pictures of a split."""
    return {name: innermost_dataset(cfg.data.get(name) or ConfigDict()) for name in SPLITS}


def use_measured(cfg: Config) -> None:
    """Have the val split measured by our evaluation while a training runs."""
    part = innermost_dataset(cfg.data.val)
    if part.get("type") == "CocoDataset":
        part.type = "MeasuredCoco"


def data_classes(cfg: Config) -> tuple[str, ...]:
    """The classes that a config trains on."""
    return tuple(innermost_dataset(cfg.data.train).get("classes") or ())


def data_of(
    cfg: Config, work_dir: Path | None = None, wanted: Sequence[str] = SPLITS
) -> dict[str, CocoSplit]:
    """The data that a config names; ``work_dir`` is where the run lies now, for a config that comes
    from no file in it. Splits that are not ``wanted`` are not looked at.

    Raises:
        InputError: the data that a run is linked to are gone, or it names a pipe, a device or a
            directory for a file.
    """
    found = {}
    for name, part in datasets_of(cfg).items():
        if name in wanted and isinstance(part.get("ann_file"), str):
            root = Path(part.get("data_root") or "")
            file = _beside(cfg, root / part.ann_file, work_dir)
            if file.is_symlink() and not file.exists():
                raise InputError(
                    f"{file} leads to {os.path.realpath(file)}, which is gone; expected the data of "
                    "the run there, or data='DIR' where they lie now"
                )
            if file.exists() and not file.is_file():
                raise InputError(f"{file}: is no file, expected annotations, as data.{name} says")
            found[name] = CocoSplit(file, root / (part.get("img_prefix") or ""))
    return found


def _beside(cfg: Config, file: Path, work_dir: Path | None) -> Path:
    """The annotation file of a config; of a work directory that has been moved, the one in it."""
    home = Path(cfg.filename).parent if cfg.filename else work_dir
    if file.exists() or home is None:
        return file
    moved = home / ANNOTATIONS / file.name
    return moved if moved.exists() and file.parent.name == ANNOTATIONS else file


def test_size(cfg: Config) -> tuple[int, int]:
    """Height and width that pictures are tested at, in whole steps of 32."""
    for step in dicts_in(innermost_dataset(cfg.data.test).get("pipeline", [])):
        if step.get("type") == "MultiScaleFlipAug":
            scale = step.img_scale[0] if isinstance(step.img_scale, list) else step.img_scale
            long, short = max(scale), min(scale)
            return -(-short // 32) * 32, -(-long // 32) * 32
    return TEST_SIZE


def structure_of(cfg: Config) -> Structure | None:
    """The structure of a config's backbone, None where that is none of ours."""
    backbone = cfg.model.get("backbone") or {}
    text = backbone.get("structure_txt")
    if backbone.get("type") != "MadNas" or not isinstance(text, str):
        return None
    return load_structure(text)
