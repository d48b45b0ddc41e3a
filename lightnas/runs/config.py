"""Search configs: what decides a search, from a YAML file, a preset or options, made into one
checked document.

A run's config.yaml is such a document with every default spelled out and the space written into it,
so the run can be had again from that file alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, create_model

from ..documents import check
from ..errors import InputError, nearest, shown
from ..files import presets_in
from ..latency.table import LatencyTable
from ..latency.table_file import load_table
from ..network.cost import INPUT_SIZE
from ..network.detector import Detector, flops_on_named, parse_detector
from ..network.entropy import ALPHA
from ..network.score import check_alpha
from ..resources import RESOURCES
from ..search.cheapest import Within, check_within
from ..search.deadline import Deadline
from ..search.engine import MAX_TOP, Limits
from ..search.problem import Budget, Problem
from ..search.space_file import parse_space, read_space_document
from ..units import format_size, parse_size
from ..yaml_file import read_yaml
from .scores import load_score

# The budgets of a config; counts may be written 83.6G, a latency 30ms. ``Resource.parse`` checks
# them: its messages are better.
BudgetFile = create_model(
    "BudgetFile", __config__=ConfigDict(extra="forbid"), **dict.fromkeys(RESOURCES, (Any, None))
)  # type: ignore[call-overload]


# Budgets that configs of the first versions did not have.
LATER = ("activations", "rho")


class ConfigFile(BaseModel):
    """A search config. ``space`` is a name, a path (from the config's folder), or the space itself;
    so is ``latency_table``.

    ``input_size`` is that of the latency table unless given, and 800x1280 without a table. With a
    ``detector`` its neck and head count in every budget, those of ``resnet50`` too.
    """

    model_config = ConfigDict(extra="forbid")

    space: str | dict[str, Any] = "k1kxk1"
    max_channels: Annotated[int, Field(ge=1, le=65_536, strict=True)] | None = None
    budget: BudgetFile = BudgetFile()  # type: ignore[valid-type]
    latency_table: str | dict[str, Any] | None = None
    detector: str | None = None
    input_size: str | None = None
    alpha: list[float] = list(ALPHA)
    score: str = "entropy"
    seed: Annotated[int, Field(ge=0, strict=True)] = 0
    evaluations: Annotated[int, Field(ge=1, strict=True)] = Limits.evaluations
    proof_work: Annotated[int, Field(ge=0, strict=True)] = Limits.proof_work
    time_limit: Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)] | None = None
    top: Annotated[int, Field(ge=1, le=MAX_TOP, strict=True)] = 5
    within: Annotated[float, Field(ge=0, lt=1, strict=True)] | str | None = None
    minimise: str | None = None
    versions: dict[str, str] | None = None


@dataclass(frozen=True)
class SearchConfig:
    """A checked config. ``document`` is what config.yaml holds, but for the versions; ``sources``
    are the files that it was read from; ``within`` asks for the cheapest structure nearly as good
    as the best."""

    problem: Problem
    seed: int
    limits: Limits
    top: int
    document: dict[str, Any]
    sources: tuple[Path, ...] = ()
    within: Within | None = None

    @property
    def runtime(self) -> str | None:
        """What ran the networks that the latency table was measured by; None: torch, or no table."""
        table = self.document["latency_table"]
        return table.get("runtime") if table else None


class Asked(NamedTuple):
    """Whether a score of a module was asked for beside the file, and by which option it is."""

    trusted: bool
    option: str


def preset_names() -> list[str]:
    """maedet-s and the like: the configs that come with lightnas."""
    return list(_presets())


def preset_path(name: str, what: str = "preset") -> Path:
    """The config of a preset; ``what`` opens the error message.

    Raises:
        InputError: there is none of that name.
    """
    presets = _presets()
    if name not in presets:
        raise InputError(f"{what} is {shown(name)}, {nearest(name, presets)}")
    return presets[name]


def _presets() -> dict[str, Path]:
    return presets_in("search", ".yaml")


def load_config(
    path: Path | None,
    options: dict[str, Any],
    foreign: Sequence[str] = (),
    named: Callable[[str], str] = str,
) -> SearchConfig:
    """A config file (None: the defaults) with options over it.

    Args:
        options: keys of a config, and ``budget`` with its own keys; None means not given. Options
            win.
        foreign: keys of the file that another reader has read.
        named: what messages call an option; the command line has ``--seed`` for ``seed``.

    Raises:
        InputError: one line that names the file or the option.
    """
    _check_keys(options)
    document: Any = {} if path is None else read_yaml(path)
    if isinstance(document, dict):
        document = {key: value for key, value in document.items() if key not in foreign}
    file = check(ConfigFile, document, "options" if path is None else str(path))
    where = "" if path is None else f"{path}: "
    values = {key: getattr(file, key) for key in ConfigFile.model_fields if key != "versions"}
    for key in ("space", "latency_table"):
        if (
            path is not None
            and isinstance(values[key], str)
            and os.path.isfile(path.parent / values[key])
        ):
            values[key] = str(path.parent / values[key])
    given = {key: value for key, value in options.items() if value is not None and key != "budget"}
    names = {key: named(key) if key in given or path is None else f"{where}{key}" for key in values}
    values |= given
    if values["detector"] is not None:
        values["detector"] = parse_detector(values["detector"], names["detector"])
    asked = options.get("budget", {})
    values["budget"] = _budget(file.budget, asked, where, named, values["detector"])
    option = named("score") if named("score") != "score" else "option score"
    score = Asked("score" in given, option)
    return _build(values, names, () if path is None else (path,), score)


def _check_keys(options: dict[str, Any]) -> None:
    """Refuse an option that no config has: nothing would read it."""
    for key in options:
        if key not in ConfigFile.model_fields:
            raise InputError(f"no option '{key}', {nearest(key, ConfigFile.model_fields)}")
    for key in options.get("budget", {}):
        if key not in RESOURCES:
            raise InputError(f"no budget '{key}', {nearest(key, RESOURCES)}")


def parse_limit(name: str, value: object, what: str, detector: Detector | None) -> float:
    """A limit on a resource from what a person wrote; ``resnet50`` with a detector is the whole
    detector of ResNet-50.

    Args:
        name: of the resource.
        what: opens the error message.

    Raises:
        InputError: it cannot be read.
    """
    limit = RESOURCES[name].parse(value, what)
    return limit + (flops_on_named(value, detector) if name == "flops" else 0.0)


def _budget(
    file: BaseModel,
    options: dict[str, Any],
    where: str,
    named: Callable[[str], str],
    detector: Detector | None,
) -> dict[str, float | None]:
    """The budgets as numbers: the options' where given, else the file's."""
    budget: dict[str, float | None] = {}
    for name in RESOURCES:
        option = options.get(name)
        value, what = (
            (option, named(f"budget_{name}"))
            if option is not None
            else (getattr(file, name), f"{where}budget.{name}")
        )
        budget[name] = None if value is None else parse_limit(name, value, what, detector)
    if all(value is None for value in budget.values()):
        raise InputError(
            f"{where}no budget, expected at least one of {', '.join(named(f'budget_{name}') for name in RESOURCES)}, "
            f"or {named('preset')} {'|'.join(preset_names())}"
        )
    return budget


def _build(
    values: dict[str, Any], names: dict[str, str], sources: tuple[Path, ...], asked: Asked
) -> SearchConfig:
    """The checked config of complete values; ``names`` says what to call each in messages,
    ``sources`` are the files that they were read from."""
    document, name = values["space"], names["space"]
    if isinstance(document, str):
        document, name = read_space_document(document, name)
        sources += (Path(name),)
    if isinstance(values["latency_table"], str):
        sources += (Path(values["latency_table"]),)
    space = parse_space(document, name, values["max_channels"])
    alpha = check_alpha(values["alpha"], names["alpha"], values["alpha"])
    score = load_score(
        values["score"], alpha, names["score"], trusted=asked.trusted, option=asked.option
    )
    table = _table(values["latency_table"], names["latency_table"])
    measured_at = table.input_size if table else INPUT_SIZE
    size = (
        measured_at
        if values["input_size"] is None
        else _size(values["input_size"], names["input_size"])
    )
    limits = Limits(values["evaluations"], values["proof_work"], values["time_limit"])
    resolved = {key: values[key] for key in ("max_channels", "budget", "alpha", "score")}
    resolved["budget"] = _written(values["budget"])
    resolved |= {
        "input_size": format_size(size),
        "latency_table": table.document if table else None,
    }
    resolved |= {
        key: values[key] for key in ("seed", "evaluations", "proof_work", "time_limit", "top")
    }
    within = check_within(values["within"], values["minimise"], names)
    if within and within.resource == "latency" and table is None:
        raise InputError(f"{names['minimise']} is latency without a latency table, expected one")
    if within:
        resolved |= {"within": within.share, "minimise": within.resource}
    if values["detector"]:
        resolved["detector"] = str(values["detector"])
    problem = Problem(
        space,
        Budget(**values["budget"]),
        size,
        alpha,
        table,
        detector=values["detector"],
        deadline=Deadline.after(limits.time_limit),
        score=score,
    )
    if within and not problem.bounded:
        raise InputError(
            f"{names['within']} with the score {values['score']}, which has no bound, expected one that has"
        )
    whole = {"space": document} | resolved
    return SearchConfig(problem, values["seed"], limits, values["top"], whole, sources, within)


def _written(budget: dict[str, float | None]) -> dict[str, float | None]:
    """As config.yaml has it: resources that came later only where they are limited, so that older
    runs keep their bytes."""
    return {name: limit for name, limit in budget.items() if limit is not None or name not in LATER}


def _size(size: str | tuple[int, int], name: str) -> tuple[int, int]:
    return parse_size(size if isinstance(size, str) else format_size(size), name)


def _table(source: str | dict[str, Any] | None, name: str) -> LatencyTable | None:
    return (
        None
        if source is None
        else load_table(Path(source) if isinstance(source, str) else source, name)
    )


def show_value(key: str, value: Any) -> str:
    """A value of a config as people read it: 83.6G for a budget, none where there is none."""
    if value is None:
        return "none"
    head, _, name = key.partition(".")
    if head == "budget" and name in RESOURCES and isinstance(value, int | float):
        return RESOURCES[name].format(value, 9)
    return shown(value)


def format_config(
    document: dict[str, Any], versions: dict[str, str], command: str = "search"
) -> str:
    """The text of a run's config.yaml; it works with --config."""
    document = document | {"versions": versions}
    head = f"# Everything that decides this run; `lightnas {command} --config` takes it.\n"
    return head + yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=120
    )


class _Dumper(yaml.SafeDumper):
    """Without aliases: a document that people read says things where they stand."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
