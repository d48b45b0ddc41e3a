"""A folder with a tiny space, and a browser where there is one."""

from pathlib import Path

import pytest
import yaml

from ..browser import browser  # noqa: F401 (a fixture)
from ..conftest import TINY


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    return tmp_path


@pytest.fixture
def opened(browser):  # noqa: F811
    """Opens a page; at the end nothing may have been said on its console, and nothing fetched."""
    said, contexts = [], []

    def opened(path, width=1100, **settings):
        context = browser.new_context(viewport={"width": width, "height": 800}, **settings)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on(
            "request",
            lambda request: (
                said.append(request.url) if not request.url.startswith(("file:", "data:")) else None
            ),
        )
        page.goto(Path(path).resolve().as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []
