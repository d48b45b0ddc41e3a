"""Templates of the page and of the charts in it; whatever is put into one is escaped."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def render(template: str, **values: Any) -> Markup:
    """The text of a file of ``templates``, with the values in it."""
    return Markup(_environment().get_template(template).render(values))  # noqa: S704 (escaped)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("lightnas.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
