"""Templates of the page and of the charts in it; whatever is put into one is escaped, and holds no
control characters."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ..errors import printable


def render(template: str, **values: Any) -> Markup:
    """The text of a file of ``templates``, with the values in it."""
    return Markup(_environment().get_template(template).render(values))  # noqa: S704 (escaped)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("lightnas.report"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _shown(value: Any) -> Any:
    """A value on its way into a template, which escapes it."""
    return value if isinstance(value, Markup | int | float) else printable(str(value))
