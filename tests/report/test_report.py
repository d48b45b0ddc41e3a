"""The report: one file, small, complete, that works by mouse, keyboard and on paper; in a browser
where there is one."""

import html
import json
import re
from pathlib import Path

import pytest
import yaml

from lightnas.cli.main import main
from lightnas.network.published import PUBLISHED
from lightnas.network.structure import Structure, format_structures

from ..browser import browser  # noqa: F401 (a fixture)
from ..conftest import TINY, published, refused, run

SIZE = ("--input-size", "64x64")
EVALUATIONS = ("--evaluations", "2000")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    return tmp_path


def searched(capsys, name="run", *options):
    run(
        capsys,
        "search",
        "--space",
        "tiny.yaml",
        "--budget-flops",
        "3M",
        *SIZE,
        *EVALUATIONS,
        "--output",
        name,
        *options,
    )
    return Path(name)


def front(capsys, name="front"):
    (Path("other.txt")).write_text(format_structures([Structure.from_dicts(published("s"))]))
    row = (
        "--budget-flops",
        "2M:6M:3",
        *SIZE,
        *EVALUATIONS,
        "--workers",
        "1",
        "--compare",
        "other.txt",
    )
    run(capsys, "pareto", "--space", "tiny.yaml", *row, "--output", name)
    return Path(name)


def training(name="det", finished=True):
    """A work directory as train-det leaves it; the last line of its log was cut off by a kill."""
    path = Path(name)
    path.mkdir()
    (path / "config.py").write_text("model = dict()\n")
    (path / "structure.txt").write_text(format_structures([Structure.from_dicts(published("s"))]))
    losses = [
        {"mode": "train", "epoch": e, "iter": i, "loss": 2.0 / (e + i / 100)}
        for e in (1, 2)
        for i in (50, 100)
    ]
    vals = [
        {
            "mode": "val",
            "epoch": e,
            "bbox_mAP": 0.2 * e,
            "bbox_mAP_50": 0.3 * e,
            "bbox_mAP_75": 0.1 * e,
        }
        for e in (1, 2)
    ]
    lines = [json.dumps(row) for row in [{"seed": 0}, *losses[:2], vals[0], *losses[2:], vals[1]]]
    (path / "20260101_000000.log.json").write_text("\n".join(lines) + '\n{"mode": "tra')
    (path / "detections.jpg").write_bytes(b"\xff\xd8 not looked into \xff\xd9")
    if finished:
        result = {"ap": 0.412, "ap50": 0.6, "ap75": 0.2, "ap_s": 0.1, "ap_m": None, "ap_l": None}
        (path / "result.json").write_text(json.dumps(result))
    return path


def text_of(page):
    """What a reader sees, without scripts and styles."""
    page = re.sub(r"<(style|script)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def check_alone(page):
    """Nothing is fetched: no address but those of namespaces, no file beside it."""
    assert len(page.encode()) < 1_000_000
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!#|data:)""", page)
    assert set(re.findall(r"https?://[^\"'\s<)]*", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "default-src 'none'" in page and "@import" not in page and "url(" not in page
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'data-copy="([^"]*)"', page)) <= set(ids)


def test_a_search_ends_with_a_report(capsys, folder):
    path = searched(capsys)
    page = (path / "report.html").read_text()
    check_alone(page)
    result, text = json.loads((path / "result.json").read_text()), text_of(page)
    assert f"{result['score']:.3f}" in text and "proven optimal" in text
    assert f"{100 * result['flops'] / 3e6:.2f} %" in text  # how full the budget is
    for network in PUBLISHED:
        assert network.name in text
    copied = html.unescape(re.search(r'<pre id="s0-0"[^>]*>(.*?)</pre>', page, re.DOTALL)[1])
    assert copied == format_structures([Structure.from_dicts(result["structure"])])
    tips = [html.unescape(tip) for tip in re.findall(r'data-tip="([^"]*)"', page)]
    convolutions = [tip for tip in tips if " channels" in tip]
    assert len(convolutions) == result["layers"] and convolutions[0].startswith("C1: 3x3, 3 to ")
    assert any("below the bound" in tip for tip in tips)


def test_shares_of_the_stages_add_up(capsys, folder):
    page = (searched(capsys) / "report.html").read_text()
    shares = [float(x) for x in re.findall(r"</span>([0-9.]+) %", page)]
    assert len(shares) == 15
    for column in range(3):
        assert sum(shares[column::3]) == pytest.approx(100, abs=0.3)


def test_a_front_ends_with_a_report(capsys, folder):
    path = front(capsys)
    page = (path / "report.html").read_text()
    check_alone(page)
    points = json.loads((path / "front.json").read_text())["points"]
    tips = [html.unescape(tip) for tip in re.findall(r'data-tip="([^"]*)"', page)]
    for i, point in enumerate(points):
        assert any(f"score {point['score']:.3f}" in tip and "gap" in tip for tip in tips)
        assert page.count(f'data-copy="s0-{i}"') == 2  # the point and the row of the table
    assert any(tip.startswith("other: score") for tip in tips) and "other" in text_of(page)


def test_published_networks_are_drawn_where_they_compare(capsys, folder):
    """Their FLOPs hold at 800 x 1280, their scores for the default weights."""
    path = folder / "drawn"
    run(
        capsys,
        "pareto",
        "--budget-flops",
        "8G:16G:2",
        *EVALUATIONS,
        "--workers",
        "1",
        "--output",
        path,
    )
    assert "MAE-DET-M: score 2114.783" in html.unescape((path / "report.html").read_text())
    assert "MAE-DET-M: score" not in (front(capsys) / "report.html").read_text()


def test_a_training(capsys, folder):
    run(capsys, "report", training())
    page = Path("det/report.html").read_text()
    check_alone(page)
    text = text_of(page)
    assert "AP 0.412" in text and "Training loss" in text and "AP medium - AP large -" in text
    tips = re.findall(r'data-tip="([^"]*)"', page)
    assert "epoch 2: AP50 0.600" in tips and "epoch 1.50: loss 0.800" in tips
    assert "data:image/jpeg;base64,/9gg" in page


def test_a_training_by_the_recipe_for_small_sets(capsys, folder):
    """AP on train beside that on val, the gap of the last evaluation, and what was chosen."""
    path = training()
    log = next(path.glob("*.log.json"))
    log.write_text(log.read_text().replace('"bbox_mAP":', '"train_bbox_mAP": 0.75, "bbox_mAP":'))
    result = json.loads((path / "result.json").read_text())
    chosen = ["for 20 pictures <b>", "15 iterations"]
    (path / "result.json").write_text(json.dumps(result | {"recipe": chosen}))
    run(capsys, "report", path)
    page = Path("det/report.html").read_text()
    check_alone(page)
    text = text_of(page)
    assert (
        "on the val split, and on train" in text and "AP on train above that on val 0.350" in text
    )
    assert "Recipe for 20 pictures <b> 15 iterations" in text
    assert "epoch 1: AP on train 0.750" in re.findall(r'data-tip="([^"]*)"', page)
    (path / "result.json").write_text(json.dumps(result | {"recipe": [3]}))
    assert "result.json" in refused(capsys, "report", path)


def test_a_training_that_goes_on(capsys, folder):
    run(capsys, "report", training(finished=False))
    assert "not finished" in text_of(Path("det/report.html").read_text())


def test_a_training_that_has_found_nothing_yet(capsys, folder):
    """mmdet logs no AP for an epoch after which not a single box is found."""
    log = next(training(finished=False).glob("*.log.json"))
    log.write_text(log.read_text().replace("bbox_mAP", "nothing"))
    run(capsys, "report", "det")
    text = text_of(Path("det/report.html").read_text())
    assert "Training loss" in text and "Average precision" not in text


def test_several_on_one_page(capsys, folder):
    first, second = searched(capsys), front(capsys)
    assert (
        run(capsys, "report", first, second, training(), "--output", "all.html").strip()
        == "all.html"
    )
    page = Path("all.html").read_text()
    check_alone(page)
    assert re.findall(r'<a href="#(s\d)">([^<]*)', page) == [
        ("s0", "run"),
        ("s1", "front"),
        ("s2", "det"),
    ]
    run(capsys, "report", second, first)
    assert 'aria-labelledby="s1-title"' in (second / "report.html").read_text()


def test_pictures_that_would_make_the_page_large_are_left_out(capsys, folder):
    path = training()
    (path / "detections.jpg").write_bytes(b"\xff" * 700_000)
    run(capsys, "report", path)
    page = (path / "report.html").read_text()
    check_alone(page)
    assert "<img" not in page


def test_names_are_escaped(capsys, folder):
    path = searched(capsys, "<b>&'\"run")
    page = (path / "report.html").read_text()
    check_alone(page)
    assert "<b>&'" not in page and "&lt;b&gt;&amp;" in page


def test_one_of_several_that_is_broken_is_left_out_and_said(capsys, folder):
    whole, broken = searched(capsys), searched(capsys, "broken")
    (broken / "result.json").write_text('{"score": "x"}')
    arguments = [str(path) for path in ("none", broken, whole, training())]
    assert main(["report", *arguments]) == 0
    out, err = capsys.readouterr()
    assert out.strip() == str(whole / "report.html")  # the first that can be read
    lines = err.splitlines()
    assert [line.startswith("left out: ") for line in lines] == [True, True]
    assert "none is not a directory" in lines[0] and "broken/result.json: score is 'x'" in lines[1]
    page = (whole / "report.html").read_text()
    check_alone(page)
    assert "left out: none is not a directory" in text_of(page)
    assert re.findall(r'<a href="#(s\d)">([^<]*)', page) == [("s0", "run"), ("s1", "det")]
    assert "score is 'x'" in refused(capsys, "report", broken)
    assert "none is not a directory" in refused(capsys, "report", "none", broken)


def test_losses_that_are_no_number(capsys, folder):
    path = training(finished=False)
    log = next(path.glob("*.log.json"))
    whole = log.read_text()
    log.write_text(re.sub(r'"loss": [0-9.]+', '"loss": NaN', whole, count=1))
    run(capsys, "report", path)
    text = text_of((path / "report.html").read_text())
    assert "losses that are no number 1" in text and "Training loss" in text
    log.write_text(re.sub(r'"loss": [0-9.]+', '"loss": Infinity', whole))
    run(capsys, "report", path)
    text = text_of((path / "report.html").read_text())
    assert "losses that are no number 4" in text and "Training loss" not in text


def test_control_characters_reach_neither_page_nor_terminal(capsys, folder):
    """Of a directory, a space, a compared structure and a file of a training."""
    name = "run\x1b[2J\u202e\udcff"
    evil = TINY | {"name": "tiny\x1b[31m\x07"}
    Path("tiny.yaml").write_text(yaml.safe_dump(evil))
    path = searched(capsys, name)
    other = Path("oth\x1b[1mer.txt")
    other.write_text(format_structures([Structure.from_dicts(published("s"))]))
    row = ("--budget-flops", "2M:6M:2", *SIZE, *EVALUATIONS, "--workers", "1", "--compare", other)
    arguments = ["pareto", "--space", "tiny.yaml", *row, "--output", "front\x1b[0m"]
    out = run(capsys, *arguments)
    out += run(capsys, "report", path, "front\x1b[0m") + run(capsys, "score", other)
    err = refused(capsys, "report", "none\x1b[31m\udcfe")
    pages = path.joinpath("report.html").read_text() + Path("front\x1b[0m/report.html").read_text()
    for text in (out, err, pages):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\udc80-\udcff]", text)
        assert "\\x1b[" in text
    assert "tiny\\x1b[31m\\x07" in pages and "oth\\x1b[1mer" in out


def test_names_are_no_mark_up(capsys, folder):
    Path("[red]x.txt").write_text(format_structures([Structure.from_dicts(published("s"))]))
    assert "[red]x.txt" in run(capsys, "score", "[red]x.txt")


def test_mistakes(capsys, folder):
    (folder / "empty").mkdir()
    assert "holds no finished run" in refused(capsys, "report", "empty")
    assert "is not a directory" in refused(capsys, "report", "none")
    assert "RUN_DIR" in refused(capsys, "report")
    path = searched(capsys)
    (path / "result.json").write_text("{")
    assert "result.json: is damaged" in refused(capsys, "report", path)
    assert "cannot be written" in refused(capsys, "report", training(), "--output", "none/x.html")


def test_overwrite_replaces_the_report(capsys, folder):
    path = searched(capsys)
    before = (path / "report.html").read_text()
    searched(capsys, "run", "--overwrite", "--budget-layers", "16")
    assert (path / "report.html").read_text() != before


# --- in a browser -----------------------------------------------------------------------------------------------------


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
