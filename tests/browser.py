"""Chromium for the tests of pages, where it is installed."""

import shutil
from contextlib import contextmanager

import pytest

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def watched_pages(browser, own):
    """Opens pages, in a context of their own unless one is given; at the end nothing may have been
    said on a console, and nothing asked that does not begin with one of ``own``."""
    said, contexts = [], []

    def page_of(width, height, context=None, **settings):
        if context is None:
            context = browser.new_context(viewport={"width": width, "height": height}, **settings)
            context.grant_permissions(["clipboard-read", "clipboard-write"])
            contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on(
            "request",
            lambda request: None if request.url.startswith(own) else said.append(request.url),
        )
        return page

    yield page_of
    for context in contexts:
        context.close()
    assert said == []
