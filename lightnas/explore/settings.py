"""What a page asks for: settings as they stand in its address, and the search config that they make.

    ?budget-flops=83.6G&budget-layers=91&since=budget-flops%3D70G&pin=budget-flops%3D50G

The keys are the options of ``lightnas search``, and so are the words of their values. ``since`` is the
setting before this one, each ``pin`` a design to compare with; both are addresses themselves.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from ..errors import InputError, nearest, shown
from ..network.score import parse_alpha
from ..resources import RESOURCES
from ..runs.config import SearchConfig, load_config, preset_path
from ..search.problem import Problem
from ..search.space_file import space_names
from ..units import whole
from ..yaml_file import read_yaml

BUDGETS = {f"budget-{name}": name for name in RESOURCES}
KEYS = (*BUDGETS, "space", "max-channels", "input-size", "alpha", "detector")
SINCE, PIN = "since", "pin"
# Of an address: its characters, its fields, and the designs that are pinned in it.
MAX_LENGTH, MAX_FIELDS, MAX_PINS = 16_384, 64, 6
MOST_CHANNELS = 65_536
# Parameters that every structure stays within.
NO_LIMIT = "1e30"
# What need not be written in an address, since it says nothing else.
DEFAULTS = {"space": "k1kxk1", "alpha": "0,0,1,1,6", "detector": "none"}


@dataclass(frozen=True)
class Settings:
    """What one search is asked for: keys and values as they are written, in the order of KEYS,
    without those that say nothing."""

    given: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Settings:
        """The settings of keys and values; empty values are left out.

        Raises:
            InputError: there is no such key.
        """
        for key in values:
            if key not in KEYS:
                raise InputError(f"no setting {shown(key)}, {nearest(key, KEYS)}")
        told = {key: values[key].strip() for key in KEYS if key in values}
        return cls(
            tuple((key, text) for key, text in told.items() if text and text != DEFAULTS.get(key))
        )

    @classmethod
    def parse(cls, query: str) -> Settings:
        """The settings of a query string.

        Raises:
            InputError: it is too long, or a key is unknown or stands there twice.
        """
        return cls.of(_once(_fields(query)))

    def __str__(self) -> str:
        """As ``parse`` reads it."""
        return urlencode(self.given, safe=",:")

    @property
    def values(self) -> dict[str, str]:
        """Values by key."""
        return dict(self.given)


@dataclass(frozen=True)
class View:
    """All that an address says: what is looked at, the setting before it, and what is pinned."""

    settings: Settings
    since: Settings | None = None
    pins: tuple[Settings, ...] = ()

    @classmethod
    def parse(cls, query: str) -> View:
        """The view of a query string.

        Raises:
            InputError: it is too long, a key is unknown or stands there twice, or there are more
                than MAX_PINS pins.
        """
        fields = _fields(query)
        values = _once([(key, value) for key, value in fields if key != PIN])
        pins = [Settings.parse(value) for key, value in fields if key == PIN]
        if len(pins) > MAX_PINS:
            raise InputError(f"{len(pins)} designs are pinned, expected at most {MAX_PINS}")
        since = values.pop(SINCE, "")
        settings = Settings.of(values)
        return cls(settings, Settings.parse(since) if since else None, tuple(dict.fromkeys(pins)))


def _fields(query: str) -> list[tuple[str, str]]:
    """Keys and values of a query string, as they stand there."""
    if len(query) > MAX_LENGTH:
        raise InputError(f"the address has {len(query)} characters, expected at most {MAX_LENGTH}")
    if query.count("&") >= MAX_FIELDS:
        raise InputError(f"the address has too many fields, expected at most {MAX_FIELDS}")
    return parse_qsl(query, keep_blank_values=True)


def _once(fields: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Values by key, each of which stands there once."""
    values: dict[str, str] = {}
    for key, value in fields:
        if key in values:
            raise InputError(f"{shown(key)} stands in the address twice, expected it once")
        values[key] = value
    return values


@dataclass(frozen=True)
class Offered:
    """What a page may choose from. Files are named on the command line; an address names none.

    Attributes:
        first: the settings that a page opens with.
        spaces: documents of spaces from files, by the name that an address has for them.
        table: the document of a latency table, and ``table_name``, its file.
    """

    first: Settings
    spaces: Mapping[str, Any] = field(default_factory=dict)
    table: Mapping[str, Any] | None = None
    table_name: str = ""

    @property
    def space_names(self) -> list[str]:
        """What an address may call a space."""
        return list(dict.fromkeys([*space_names(), *self.spaces]))


def config_of(settings: Settings, offered: Offered) -> SearchConfig:
    """The search config of settings: the same as that of the command (``command_of``).

    Raises:
        InputError: one line that names the setting.
    """
    return load_config(None, _options(settings, offered), named=_dashed)


def unlimited(settings: Settings, offered: Offered) -> Problem:
    """The problem of settings without their budgets: what its structures use says how far the
    sliders go. A latency table that does not know the space or the size is left out.

    Raises:
        InputError: one line that names the setting.
    """
    options = _options(settings, offered) | {"budget": {"params": NO_LIMIT}, "latency_table": None}
    if offered.table is not None:
        try:
            known = options | {"latency_table": offered.table}
            return load_config(None, known, named=_dashed).problem
        except InputError:  # of the table: the others come again
            pass
    return load_config(None, options, named=_dashed).problem


def _options(settings: Settings, offered: Offered) -> dict[str, Any]:
    """The settings as ``load_config`` takes them."""
    values = settings.values
    options: dict[str, Any] = {
        "budget": {name: values[key] for key, name in BUDGETS.items() if key in values},
        "space": _space(values.get("space", DEFAULTS["space"]), offered),
    }
    if "max-channels" in values:
        options["max_channels"] = _channels(values["max-channels"])
    if "alpha" in values:
        options["alpha"] = parse_alpha(values["alpha"], "alpha")
    for key in ("input-size", "detector"):
        if key in values:
            options[key.replace("-", "_")] = values[key]
    # A table says no to spaces and sizes that it does not know: it is read where seconds count.
    if offered.table is not None and options["budget"].get("latency"):
        options["latency_table"] = offered.table
    return options


def command_of(settings: Settings, offered: Offered) -> str:
    """The line for a shell that searches for the same."""
    words = ["lightnas", "search"]
    for key, value in settings.given:
        words += [f"--{key}", value]
    if offered.table_name and "budget-latency" in settings.values:
        words += ["--latency-table", offered.table_name]
    return shlex.join(words)


def preset_settings(name: str, what: str = "preset") -> Settings:
    """The settings of a preset; errors as for ``runs.config.preset_path``."""
    path = preset_path(name, what)
    document, limits = read_yaml(path), load_config(path, {}).problem.limits
    budgets = {f"budget-{resource}": _written(resource, limits[resource]) for resource in limits}
    told = {key: document.get(key.replace("-", "_")) for key in KEYS if key not in BUDGETS}
    if told["alpha"]:
        told["alpha"] = ",".join(str(whole(weight)) for weight in told["alpha"])
    return Settings.of(budgets | {key: str(value) for key, value in told.items() if value})


def _written(name: str, limit: float) -> str:
    """Short where that says the same."""
    resource = RESOURCES[name]
    texts = (resource.format(limit, digits).replace(" ", "") for digits in range(3, 18))
    return next((text for text in texts if resource.parse(text, name) == limit), repr(limit))


def _dashed(key: str) -> str:
    return key.replace("_", "-")


def _space(name: str, offered: Offered) -> Any:
    """A space by a name that is offered: never a path, which would be read."""
    known: Sequence[str] = offered.space_names
    if name not in known:
        raise InputError(f"space is {shown(name)}, {nearest(name, known)}")
    return offered.spaces.get(name, name)


def _channels(text: str) -> int:
    """A number of channels."""
    number = int(text) if re.fullmatch(r"[0-9]{1,6}", text) else 0
    if not 1 <= number <= MOST_CHANNELS:
        raise InputError(f"max-channels is {shown(text)}, expected 1 to {MOST_CHANNELS}")
    return number
