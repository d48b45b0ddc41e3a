"""Templates of the page and of the charts in it; whatever is put into one is escaped, and holds no
control characters."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ..errors import printable


def render(template: str, **values: Any) -> Markup:
    """The text of a file of ``templates``, with the values in it."""
    text = templates("lightnas.report").get_template(template).render(values)
    return Markup(text)  # noqa: S704 (escaped)


@cache
def templates(*packages: str) -> Environment:
    """The files of ``templates`` of packages, of several the first that has one of that name."""
    return Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in packages]),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _shown(value: Any) -> Any:
    """A value on its way into a template, which escapes it."""
    return value if isinstance(value, Markup | int | float) else printable(str(value))
