"""The page in a browser: by mouse, by keyboard, on paper, on any screen."""

import csv
import json
import re

import pytest

from ..conftest import run
from .runs import front, searched, training


def copied_by(page):
    return page.evaluate("navigator.clipboard.readText()")


def test_hover_shows_the_point_and_click_copies_it(capsys, folder, opened):
    path = front(capsys)
    page = opened(path / "report.html")
    points = json.loads((path / "front.json").read_text())["points"]
    assert not page.locator("#tip").is_visible()
    dots = page.locator("svg [data-copy]")
    assert dots.count() == len(points)
    for i, point in enumerate(points):
        dots.nth(i).hover()
        assert f"score {point['score']:.3f}" in page.locator("#tip").inner_text()
    dots.nth(1).click()
    page.wait_for_function("document.getElementById('tip').textContent.startsWith('Copied')")
    assert copied_by(page) == (path / "structures" / "01.txt").read_text()


def test_keyboard_alone(capsys, folder, opened):
    path = front(capsys)
    page = opened(path / "report.html")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('svg [data-copy]')"):
            break
    assert "score" in page.locator("#tip").inner_text()
    page.keyboard.press("Enter")
    page.wait_for_function("document.getElementById('tip').textContent.startsWith('Copied')")
    assert copied_by(page) == (path / "structures" / "00.txt").read_text()
    page.keyboard.press("Escape")
    assert not page.locator("#tip").is_visible()


def test_a_button_copies_without_the_clipboard_of_the_page(capsys, folder, opened):
    """Where the browser does not trust the page: the old way."""
    path = searched(capsys)
    page = opened(path / "report.html")
    page.evaluate(
        "() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }"
    )
    page.get_by_role("button", name="Copy structure txt").click()
    page.wait_for_function("document.getElementById('tip').textContent.startsWith('Copied')")
    assert copied_by(page) == run(capsys, "export-structure", path)


@pytest.mark.parametrize("width", [360, 1100])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_the_screen_light_and_dark(capsys, folder, opened, width, scheme):
    run(capsys, "report", searched(capsys), front(capsys), training(), "--output", "all.html")
    page = opened("all.html", width, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    channels = re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert (sum(map(int, channels[:3])) > 600) == (scheme == "light")
    assert page.locator("svg.chart").first.bounding_box()["height"] > 100


def test_print(capsys, folder, opened):
    page = opened(searched(capsys) / "report.html", color_scheme="dark")
    page.emulate_media(media="print")
    assert page.locator("button").count() and not page.locator("button").first.is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("svg.chart").first.is_visible()


def test_no_letter_and_no_button_lies_beyond_a_narrow_screen(capsys, folder, opened):
    """At 390 pixels, at the left end of every table."""
    run(capsys, "report", searched(capsys), front(capsys), training(), "--output", "all.html")
    page = opened("all.html", 390)
    beyond = page.evaluate("""() => [...document.querySelectorAll(
        'button:not(.sort), svg.chart text, svg.chart circle, svg.chart rect, svg.chart path, h1, h2, summary')]
        .filter((element) => element.checkVisibility())
        .filter((element) => {
            const box = element.getBoundingClientRect();
            return box.left < -1 || box.right > 391;
        }).map((element) => element.outerHTML.slice(0, 200))""")
    assert beyond == []
    letters = page.evaluate(
        "getComputedStyle(document.querySelector('svg.chart text')).fontSize"
        " + document.querySelector('svg.chart text').getScreenCTM().a"
    )
    assert letters == "12px1"


def test_a_clicked_point_shows_its_architecture(capsys, folder, opened):
    page = opened(front(capsys) / "report.html")
    opened_ones = page.locator("details.network[open]")
    assert opened_ones.count() == 0
    for i in (2, 1):
        page.locator("svg [data-copy]").nth(i).click()
        page.wait_for_selector(f"details[open] [data-stages='s0-{i}']")
        assert opened_ones.count() == 1 and opened_ones.locator("svg.chart").is_visible()
        assert page.locator("details.network").first.get_attribute("open") is not None


def test_tables_are_sorted_by_what_they_say(capsys, folder, opened):
    page = opened(searched(capsys) / "report.html")
    table = page.get_by_role("region", name="Compared", exact=True)

    def column(at):
        return table.locator(f"tbody tr > :nth-child({at})").all_inner_texts()

    for name, at in (("score", 2), ("params", 4)):
        head = table.get_by_role("button", name=name)
        head.click()
        rising = column(at)
        head.click()
        falling = column(at)
        known = [text for text in rising if text != "-"]
        values = [
            float(text.rstrip("KM")) * {"K": 1e3, "M": 1e6}.get(text[-1], 1) for text in known
        ]
        assert values == sorted(values) and len(set(values)) > 3
        assert rising[len(known) :] == falling[len(known) :] == ["-"] * (len(rising) - len(known))
        assert [text for text in falling if text != "-"] == known[::-1] or len(set(known)) < len(
            known
        )
    assert table.locator("th[aria-sort]").count() == 1
    table.get_by_role("button", name="network").press("Enter")
    names = [text for text in column(1) if "Copy" not in text]
    assert names == ["MAE-DET-L", "MAE-DET-M", "MAE-DET-S", "ResNet-50", "ResNet-101"]


def saved(page, button):
    with page.expect_download() as download:
        button.click()
    return download.value.suggested_filename, download.value.path().read_text()


def test_structures_and_tables_can_be_kept(capsys, folder, opened):
    path = searched(capsys)
    page = opened(path / "report.html")
    structure = run(capsys, "export-structure", path)
    assert saved(page, page.get_by_role("button", name="Download txt")) == ("run.txt", structure)
    button = page.get_by_role("button", name="Download structure found, rank 0")
    assert saved(page, button) == ("found-rank-0.txt", structure)
    name, text = saved(page, page.get_by_role("button", name="CSV"))
    rows = list(csv.reader(text.splitlines()))
    assert name == "run-compared.csv" and rows[0][:3] == ["network", "score", "FLOPs at 64x64"]
    score = json.loads((path / "result.json").read_text())["score"]
    assert rows[1][:2] == ["found, rank 0", f"{score:.3f}"]
    assert {len(row) for row in rows} == {len(rows[0])}


def test_a_spreadsheet_gets_no_formula(capsys, folder, opened):
    """Of a directory that is called so."""
    paths = [searched(capsys, "=1+1"), searched(capsys)]
    run(capsys, "report", *paths, "--output", "all.html")
    page = opened("all.html")
    _, text = saved(page, page.get_by_role("button", name="CSV").first)
    assert text.splitlines()[1].startswith("'=1+1,")


def test_two_structures_differ_where_it_is_marked(capsys, folder, opened):
    path = front(capsys)
    page = opened(path / "report.html")
    points = json.loads((path / "front.json").read_text())["points"]
    section = page.locator("#difference")
    first, second = section.locator("select").all()
    first.select_option("s0-0")
    second.select_option("s0-2")
    width = section.locator("tbody tr:last-child td:nth-child(3)").inner_text()
    widths = [str(points[i]["structure"][-1]["out"]) for i in (0, 2)]
    assert width == (" \u2192 ".join(widths) if len(set(widths)) > 1 else widths[0])
    assert section.locator("ins").count() > 0
    second.select_option("s0-0")
    assert section.locator("ins").count() == 0


def test_without_scripts_all_is_there_to_read(capsys, folder, opened):
    path = front(capsys)
    page = opened(path / "report.html", java_script_enabled=False)
    assert page.locator("button:visible").count() == 0
    assert not page.locator("#difference").is_visible()
    page.locator("summary", has_text="budget").nth(1).click()
    assert page.locator("[data-stages='s0-1']").is_visible()
    assert page.locator("pre:visible").inner_text() == (path / "structures/01.txt").read_text()


def test_the_first_printed_page_is_full(capsys, folder, opened):
    """A4 in CSS pixels: the first chart is on the first page, and nothing before it breaks off."""
    page = opened(searched(capsys) / "report.html", width=718)
    page.emulate_media(media="print")
    chart = page.locator("svg.chart").first.bounding_box()
    assert 0.6 * 1047 < chart["y"] + chart["height"] < 1047
    assert page.evaluate("getComputedStyle(document.querySelector('figure')).breakInside") == "auto"
