"""YAML files, read safely; every mistake is one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from .errors import InputError, shown
from .files import read_text

MAX_BYTES = 2**17
# Values of a document with every alias written out. Aliases of aliases double at each level.
MAX_VALUES = 100_000


class _Loader(yaml.SafeLoader):
    """YAML's plain data, where a key stands once: PyYAML takes the last of two, and merges ``<<``
    without a word.

    Not the faster CSafeLoader: it recurses in C, and deep nesting then kills the process.
    """

    def get_single_node(self) -> Any:
        node = super().get_single_node()
        if node is not None and _values(node, {}) > MAX_VALUES:
            raise yaml.YAMLError(f"more than {MAX_VALUES} values once its aliases are written out")
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """As PyYAML has it, but without merge keys and without duplicates."""
        seen = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                raise _marked("merge keys (<<) are not taken", key)
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise _marked(f"the key {shown(key.value)} stands twice", key)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep)


class _TextLoader(_Loader):
    """The same, with every plain value left as the text that stands there: a class named ``no`` or
    ``1.0`` keeps its name."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 (PyYAML's own declaration)


def _marked(problem: str, node: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


def _values(node: Any, known: dict[int, int]) -> int:
    """Values in a node, aliases written out. ``known``: of nodes that were counted; one inside
    itself counts as too many."""
    if id(node) not in known:
        known[id(node)] = MAX_VALUES + 1
        inner = node.value if isinstance(node, yaml.CollectionNode) else []
        flat = (
            [part for pair in inner for part in pair]
            if isinstance(node, yaml.MappingNode)
            else inner
        )
        known[id(node)] = 1 + sum(_values(part, known) for part in flat)
    return known[id(node)]


def read_yaml(path: str | Path, as_text: bool = False) -> Any:
    """What a YAML file holds: plain data only, a Python tag is refused.

    Args:
        as_text: leave numbers, booleans and dates as the text that stands there.

    Raises:
        InputError: one line that names the file and, where YAML knows it, the line.
    """
    text = read_text(path, MAX_BYTES)
    try:
        document = yaml.load(text, Loader=_TextLoader if as_text else _Loader)  # noqa: S506 (it is a SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = (
            getattr(error, "problem", None)
            or getattr(error, "reason", None)
            or str(error)
            or "broken"
        )
        at = f" in line {mark.line + 1}" if mark else ""
        problem = " ".join(str(problem).split())
        raise InputError(
            f"{path}: not valid YAML{at} ({problem}), expected keys and values"
        ) from error
    except (RecursionError, ValueError) as error:  # deep nesting; a date that does not exist
        raise InputError(
            f"{path}: not valid YAML ({shown(str(error))}), expected keys and values"
        ) from error
    if document is None:
        raise InputError(f"{path}: is empty, expected keys and values")
    return document
