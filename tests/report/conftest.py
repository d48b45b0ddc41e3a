"""A folder with a tiny space, and a browser where there is one."""

from pathlib import Path

import pytest
import yaml

from ..browser import browser, watched_pages  # noqa: F401 (a fixture)
from ..conftest import TINY


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    return tmp_path


@pytest.fixture
def opened(browser):  # noqa: F811
    """Opens a page; at the end nothing may have been said on its console, and nothing fetched."""
    with watched_pages(browser, ("file:", "data:")) as page_of:

        def opened(path, width=1100, **settings):
            page = page_of(width, 800, **settings)
            page.goto(Path(path).resolve().as_uri())
            return page

        yield opened
