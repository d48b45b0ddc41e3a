"""What a value of an embedded config may be: rules, small objects that rebuild a value or say what
was expected.

A rule is called with a value and where it stands, and gives the value built anew; what it does not
name never reaches mmdet.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from lightnas.errors import nearest, shown


class OutsideError(ValueError):
    """A place of a config that no rule allows: ``where``, and the rest of what is said of it."""

    def __init__(self, where: str, rest: str) -> None:
        super().__init__(f"{where} {rest}".lstrip())
        self.where = where


@dataclass(frozen=True)
class Rule:
    """One kind of value: ``expected`` in words, and what checks and rebuilds it."""

    expected: str
    build: Callable[[Any, str], Any]

    def __call__(self, value: Any, where: str) -> Any:
        """The value built anew.

        Raises:
            OutsideError: it is of another kind or range.
        """
        return self.build(value, where)

    def refuse(self, value: Any, where: str) -> OutsideError:
        """The error for a value that is none of this kind."""
        return OutsideError(where, f"is {shown(value)}, expected {self.expected}")


def _plain(expected: str, fits: Callable[[Any], bool]) -> Rule:
    """A rule for a value without parts."""

    def build(value: Any, where: str) -> Any:
        if not fits(value):
            raise rule.refuse(value, where)
        return value

    rule = Rule(expected, build)
    return rule


def whole(low: int, high: int) -> Rule:
    """A whole number of that range."""
    return _plain(
        f"a whole number from {low} to {high}",
        lambda value: type(value) is int and low <= value <= high,
    )


def number(low: float, high: float) -> Rule:
    """A finite number of that range."""

    def fits(value: Any) -> bool:
        if type(value) is float and not math.isfinite(value):
            return False
        return type(value) in (int, float) and low <= value <= high

    return _plain(f"a number from {low:g} to {high:g}", fits)


def choice(*values: Any) -> Rule:
    """One of the values; True is not 1."""
    words = ", ".join(map(repr, values))
    return _plain(
        words if len(values) == 1 else f"one of {words}",
        lambda value: any(type(value) is type(one) and value == one for one in values),
    )


def text(pattern: str, expected: str, longest: int = 200) -> Rule:
    """A text of a form."""
    form = re.compile(pattern)
    return _plain(
        expected,
        lambda value: (
            isinstance(value, str) and len(value) <= longest and form.fullmatch(value) is not None
        ),
    )


FLAG = choice(True, False)
NONE = choice(None)


def either(*rules: Rule) -> Rule:
    """What one of the rules allows; the first that fits builds it."""

    def build(value: Any, where: str) -> Any:
        deepest = both.refuse(value, where)
        for rule in rules:
            try:
                return rule(value, where)
            except OutsideError as outside:
                if len(outside.where) > len(deepest.where):  # a part of it says more than the whole
                    deepest = outside
        raise deepest

    both = Rule(" or ".join(rule.expected for rule in rules), build)
    return both


def optional(rule: Rule) -> Rule:
    """What the rule allows, or None."""
    return either(NONE, rule)


def listed(rule: Rule, low: int, high: int) -> Rule:
    """A list or a tuple of so many of them; which of the two it is stays."""

    def build(value: Any, where: str) -> Any:
        if type(value) not in (list, tuple) or not low <= len(value) <= high:
            raise items.refuse(value, where)
        return type(value)(rule(item, f"{where}.{i}") for i, item in enumerate(value))

    count = f"{low}" if low == high else f"{low} to {high}"
    items = Rule(f"a list of {count}, each {rule.expected}", build)
    return items


def mapping(keys: Rule, values: Rule, most: int) -> Rule:
    """A dict of at most so many of them, by keys of any name that the rule allows."""

    def build(value: Any, where: str) -> Any:
        if type(value) is not dict or len(value) > most:
            raise items.refuse(value, where)
        return {
            keys(key, f"{where}, a key"): values(item, f"{where}.{key}"[:200])
            for key, item in value.items()
        }

    items = Rule(f"a dict of at most {most}, by {keys.expected}", build)
    return items


@dataclass(frozen=True)
class Left:
    """A key that is checked and then left out, since nothing that is done with the config needs
    it."""

    rule: Rule


@dataclass(frozen=True)
class Keys:
    """The keys that a dict may have, and those that it must have."""

    rules: Mapping[str, Rule | Left]
    required: Collection[str] = ()

    def build(self, value: Any, where: str, owner: str) -> dict[str, Any]:
        """The dict built anew, in its own order.

        Args:
            owner: what it belongs to, for the message.

        Raises:
            OutsideError: a key is not of the list, or missing, or its value is not allowed.
        """
        built = {}
        for key, item in value.items():
            at = f"{where}.{shown(key) if not isinstance(key, str) else key[:60]}".lstrip(".")
            rule = self.rules.get(key) if isinstance(key, str) else None
            if rule is None:
                meant = nearest(key, self.rules)  # without it, a list of all keys would fill a page
                hint = f", {meant}" if meant.startswith("did you mean") else ""
                raise OutsideError(
                    at, f"is {shown(item)}, no key that {owner} may have there{hint}"
                )
            if isinstance(rule, Left):
                rule.rule(item, at)
            else:
                built[key] = rule(item, at)
        for key in self.required:
            if key not in value:
                raise OutsideError(f"{where}.{key}".lstrip("."), f"is missing, {owner} needs it")
        return built


def section(keys: Keys, owner: str = "a section") -> Rule:
    """A dict with those keys."""

    def build(value: Any, where: str) -> Any:
        if type(value) is not dict:
            raise rule.refuse(value, where)
        return keys.build(value, where, owner)

    rule = Rule("a dict", build)
    return rule


@dataclass
class Types:
    """The types of one role, such as a neck or a loss, and the keys of each.

    ``by`` is the key that names the type.
    """

    role: str
    types: dict[str, Keys] = field(default_factory=dict)
    by: str = "type"

    def rule(self) -> Rule:
        """A dict that names one of the types and has only keys of it; types may be added later."""

        def build(value: Any, where: str) -> Any:
            if type(value) is not dict:
                raise rule.refuse(value, where)
            kind = value.get(self.by)
            at = f"{where}.{self.by}".lstrip(".")
            if not isinstance(kind, str) or kind not in self.types:
                raise OutsideError(at, f"is {shown(kind)}, {nearest(kind, self.types)}")
            keys = self.types[kind]
            allowed = Keys({self.by: choice(kind), **keys.rules}, keys.required)
            return allowed.build(value, where, kind)

        rule = Rule(f"a dict, {self.role}", build)
        return rule
