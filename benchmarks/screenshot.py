"""The README's picture of a report, taken in Chromium: ``python -m benchmarks.screenshot REPORT.html docs/report.png``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTH, HEIGHT = 900, 1620


def main() -> None:
    page, output = map(Path, sys.argv[1:])
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        tab.goto(page.resolve().as_uri())
        tab.screenshot(path=output)
        browser.close()


if __name__ == "__main__":
    main()
