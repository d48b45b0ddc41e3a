"""The page in Chromium: by mouse and by keyboard, wide and narrow, light and dark, in two tabs."""

import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from lightnas.network.structure import parse_structures

from ..browser import browser, watched_pages  # noqa: F401 (a fixture)
from .served import SMALL

QUERY = "?" + urlencode(SMALL)
# The design has ended, and everything around it is there.
SETTLED = "body:not([data-busy]) #answer .verdict"


@pytest.fixture
def opened(browser, server):  # noqa: F811
    """Opens the page; at the end nothing may have been said on its console, and nothing asked
    elsewhere."""
    with watched_pages(browser, (server.address, "data:")) as page_of:

        def opened(query=QUERY, width=1100, context=None, **settings):
            page = page_of(width, 900, context, **settings)
            page.set_default_timeout(90_000)
            page.goto(server.address + query)
            settle(page)
            return page

        yield opened


def settle(page):
    page.locator(SETTLED).wait_for()


def asked(page):
    """What the address says."""
    return {key: values[0] for key, values in parse_qs(urlsplit(page.url).query).items()}


def figure(page, name):
    return (
        page.locator("#answer .figures div").filter(has_text=re.compile(f"^{name}")).locator("dd")
    )


def change(page, name, text):
    field = page.locator(f"#{name}")
    field.fill(text)
    field.press("Enter")
    field.blur()


def test_a_design_stands_on_the_page(opened):
    page = opened()
    assert page.locator(".verdict.proven").inner_text().startswith("Proven optimal")
    assert page.locator("#status").inner_text().startswith("Proven optimal: score ")
    assert page.locator("#stage-table tbody tr").count() == 5
    assert "one more adds" in page.locator("[data-budget=flops]").inner_text()
    assert (
        page.locator("#stages svg.chart").count() == page.locator("#front svg.chart").count() == 1
    )
    assert "MAE-DET-M" in page.locator("#answer").inner_text()
    assert "lightnas search --budget-flops 3M" in page.locator("#command").inner_text()
    page.locator("#front svg.chart circle").first.hover()
    assert "score" in page.locator("#tip").inner_text()


def test_the_page_begins_with_the_preset(opened):
    page = opened("")
    assert asked(page)["budget-flops"] == "83.6G" and asked(page)["budget-layers"] == "91"
    assert figure(page, "score").first.inner_text() == "2111.149"


def test_sliders_by_keyboard(opened):
    page = opened()
    page.locator("#budget-flops").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "budget-flops-slider"
    before = page.locator("#budget-flops-slider").input_value()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert int(page.locator("#budget-flops-slider").input_value()) == int(before) + 5
    settle(page)
    text = page.locator("#budget-flops").input_value()
    assert asked(page)["budget-flops"] == text and text != "3M"
    assert page.locator("#budget-flops-slider").get_attribute("aria-valuetext") == text
    assert f"of {text}" in page.locator("[data-budget=flops]").inner_text()
    page.keyboard.press("Home")  # to the smallest there is
    settle(page)
    assert page.locator("#fault").is_hidden()


def test_sliders_by_mouse(opened):
    page = opened()
    slider = page.locator("#budget-params-slider")
    box = slider.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] / 2, steps=4)
    assert "budget-params" not in asked(page)  # on release
    page.mouse.up()
    settle(page)
    assert page.locator("#budget-params-on").is_checked()
    assert asked(page)["budget-params"] == page.locator("#budget-params").input_value()
    assert page.locator("[data-budget=params]").count() == 1
    page.locator("#budget-params-on").click()
    settle(page)
    assert "budget-params" not in asked(page)


def test_a_move_says_how_the_optimum_moved(opened):
    page = opened()
    change(page, "budget-flops", "4M")
    page.locator("#moved table").wait_for()
    settle(page)
    row = page.locator("#moved tr").filter(has_text="FLOPs at most")
    assert row.locator("td").all_inner_texts()[:2] == ["3M", "4M"]
    table = page.locator("#moved").inner_text()
    page.reload()
    settle(page)
    assert page.locator("#moved").inner_text() == table


def test_everything_else_can_be_set(opened):
    page = opened()
    page.locator("#space").select_option("k1kx")
    change(page, "budget-flops", "1G")
    page.locator("#detector").select_option("none")
    change(page, "input-size", "96x96")
    change(page, "max-channels", "256")
    change(page, "alpha-2", "1")
    change(page, "budget-layers", "20")
    settle(page)
    found = {"space": "k1kx", "input-size": "96x96", "max-channels": "256", "alpha": "0,1,1,1,6"}
    assert found.items() <= asked(page).items() and asked(page)["budget-layers"] == "20"
    command = page.locator("#command").inner_text()
    assert "--max-channels 256" in command and "--alpha 0,1,1,1,6" in command
    page.locator("#preset").select_option("maedet-s")
    page.locator("[data-budget=flops]", has_text="of 50.2G").wait_for()
    assert asked(page)["budget-flops"] == "50.2G" and "space" not in asked(page)


@pytest.mark.parametrize("text", ["many", "3", "<b>&amp;</b>", "-1", "9" * 400])
def test_a_bad_value_is_one_line_on_the_page(opened, text):
    page = opened()
    change(page, "budget-flops", text)
    page.locator("#fault:visible").wait_for()
    assert "budget" in page.locator("#fault").inner_text()
    assert page.locator("#fault b").count() == 0
    change(page, "budget-flops", "3M")
    settle(page)
    assert page.locator("#fault").is_hidden()


def test_pins_are_compared_and_shared(opened):
    page = opened()
    page.locator("#pin").click()
    page.locator("#pins table").wait_for()
    change(page, "budget-flops", "4M")
    settle(page)
    page.locator("#pin").click()
    page.locator("#pins thead th").nth(3).wait_for()
    settle(page)
    marked = page.locator("#pins td.differs")
    assert marked.count() and all(text.startswith("≠") for text in marked.all_inner_texts())
    table = page.locator("#pins").inner_text()
    shared = opened("?" + urlsplit(page.url).query)  # by somebody else
    assert shared.locator("#pins").inner_text() == table
    assert shared.locator("#answer").inner_text() == page.locator("#answer").inner_text()
    shared.get_by_role("button", name="Look at pinned 1").click()
    shared.locator(SETTLED).wait_for()
    assert asked(shared)["budget-flops"] == "3M"
    shared.get_by_role("button", name="Unpin 1").click()
    shared.locator("#pins thead th").nth(3).wait_for(state="detached")
    settle(shared)
    assert urlsplit(shared.url).query.count("pin=") == 1


def test_copies_and_files(opened):
    page = opened()
    for button, said in (
        ("copy-command", "command"),
        ("copy-link", "address"),
        ("copy-txt", "txt"),
    ):
        page.locator(f"#{button}").click()
        page.locator("#tip", has_text=said).wait_for()
        copied = page.evaluate("navigator.clipboard.readText()")
        if button == "copy-command":
            assert copied == page.locator("#command").inner_text()
        elif button == "copy-link":
            assert copied == page.url
        else:
            (structure,) = parse_structures(copied)
    with page.expect_download() as download:
        page.locator("a[data-file='structure.txt']").click()
    assert download.value.suggested_filename == "structure.txt"
    assert parse_structures(download.value.path().read_text()) == [structure]
    with page.expect_download() as download:
        page.locator("a[data-file='config.yaml']").click()
    assert "lightnas search --config" in download.value.path().read_text()


@pytest.mark.parametrize("width", [390, 1100, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_the_screen_light_and_dark(opened, width, scheme):
    more = urlencode({"since": QUERY[1:].replace("3M", "4M"), "pin": QUERY[1:].replace("3M", "5M")})
    page = opened(f"{QUERY}&{more}", width, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    channels = re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert (sum(map(int, channels[:3])) > 600) == (scheme == "light")
    boxes = [page.locator(f"#{name}").bounding_box() for name in ("settings", "answer")]
    beside = boxes[1]["x"] >= boxes[0]["x"] + boxes[0]["width"]
    assert beside == (width > 390)
    unnamed = page.evaluate(
        "[...document.querySelectorAll('input, select, button')].filter("
        "(one) => !one.labels?.length && !one.ariaLabel && !one.textContent.trim()).length"
    )
    assert unnamed == 0


def test_many_quick_changes_end_in_the_last_one(opened):
    page = opened()
    slider = page.locator("#budget-flops-slider")
    slider.focus()
    for _ in range(150):  # more than browsers let an address change
        slider.press("ArrowRight")
    for _ in range(100):
        slider.press("ArrowLeft")
    settle(page)
    text = page.locator("#budget-flops").input_value()
    assert asked(page)["budget-flops"] == text
    assert f"of {text}" in page.locator("[data-budget=flops]").inner_text()
    assert f"--budget-flops {text}" in page.locator("#command").inner_text()


def test_a_second_tab_is_a_design_of_its_own(opened):
    one = opened()
    two = opened(QUERY.replace("3M", "5M"), context=one.context)
    change(one, "budget-flops", "4M")
    change(two, "budget-flops", "6M")
    for page, text in ((one, "4M"), (two, "6M")):
        settle(page)
        assert asked(page)["budget-flops"] == text
        assert f"of {text}" in page.locator("[data-budget=flops]").inner_text()


def test_a_server_that_has_ended_is_said(browser, tmp_path):  # noqa: F811
    from .served import serving

    with serving(tmp_path) as own:
        page = browser.new_page()
        page.goto(own.address + QUERY)
        page.locator(SETTLED).wait_for(timeout=90_000)
        own.stop()
        change(page, "budget-flops", "4M")
        page.locator("#fault", has_text="still running").wait_for()
        page.close()
