"""The files about the project agree with each other, and pages that quote a figure with those that
measured it."""

import configparser
import re
import sys
from importlib.util import module_from_spec, spec_from_file_location

import pytest
import yaml

import lightnas

from . import pages

ROOT = pages.ROOT
README = (ROOT / "README.md").read_text()
BENCHMARKS = (ROOT / "docs/benchmarks.md").read_text()


def test_one_version():
    headings = re.findall(r"^## \[([\d.]+)\] - ", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert headings[0] == citation["version"] == lightnas.__version__
    newest_first = [tuple(map(int, version.split("."))) for version in headings]
    assert newest_first == sorted(newest_first, reverse=True)


def test_the_citation_is_that_of_the_package():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["title"] == setup["metadata"]["name"]
    assert citation["abstract"] == setup["metadata"]["description"]
    assert citation["license"] == setup["metadata"]["license"]
    assert [one["name"] for one in citation["authors"]] == [setup["metadata"]["author"]]
    (paper,) = citation["references"]
    assert paper["url"] in setup["metadata"]["project_urls"] and paper["url"] in README


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 200


def rows(text, heading):
    """The cells of the first table below a heading or line that begins so."""
    lines = text[text.index(heading) :].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    table = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return table
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table


def test_seconds_are_those_of_the_benchmark():
    """README's range is that of the medians of the whole command, of the presets that it names."""
    (low, high) = re.search(
        r"after ([\d.]+) to ([\d.]+) s for the published budgets", README
    ).groups()
    medians = [
        median
        for command, median, *_ in rows(BENCHMARKS, "The whole command, from start")
        if "search --preset maedet-" in command
    ]
    assert len(medians) == 3
    assert (min(medians, key=float), max(medians, key=float)) == (low, high)
    assert "make bench" in README and "`make bench`" in BENCHMARKS


def test_scores_are_the_same_on_both_pages():
    here = {
        re.search(r"maedet_\w", row[0])[0]: row[2] for row in rows(README, "Our three structures")
    }
    there = {row[0]: row[1] for row in rows(BENCHMARKS, "## The proxy, measured")}
    assert here == there


@pytest.fixture(scope="module")
def hooks():
    """docs/hooks.py, which mkdocs loads by its path."""
    spec = spec_from_file_location("hooks_of_the_site", ROOT / "docs/hooks.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_page_and_whatever_it_links_to_has_its_place_in_the_site(hooks):
    generated = hooks.sources()
    in_docs = {
        path.relative_to(ROOT / "docs").as_posix()
        for path in (ROOT / "docs").rglob("*")
        if path.is_file() and path.suffix != ".py"
    }
    assert not generated.keys() & in_docs
    there = {*generated, *in_docs}
    for page in pages.PAGES:
        path = page.relative_to(ROOT).as_posix()
        assert hooks.place(path) in there and hooks.origin(hooks.place(path)) == path
        for target in hooks.links(page.read_text()):
            found = hooks.inside(target, path)
            assert found is not None, f"{path}: {target}"
            assert hooks.place(found) in there, f"{path}: {target}"


def test_pages_of_the_navigation_are_there(hooks):
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    listed = re.findall(r"'([\w./-]+\.md)'", str(config["nav"]))
    generated = hooks.sources()
    for page in listed:
        assert page in generated or (ROOT / "docs" / page).is_file(), page
    assert len(listed) == len(set(listed)) > 30


def test_links_become_those_of_the_site(hooks):
    text = "[a](docs/spaces.md#x) [b](lightnas/network/blocks.py) [c](https://x.org) [d](gone.md) `[e](f)`\n"
    assert hooks.rewritten(text, "README.md") == (
        "[a](spaces.md#x) [b](source/lightnas/network/blocks.py.md) [c](https://x.org) [d](gone.md) `[e](f)`\n"
    )
    assert (
        hooks.rewritten("[a](../../SECURITY.md) [b](../words.md)", "docs/tutorials/deploy.md")
        == "[a](../SECURITY.md) [b](../words.md)"
    )
    with pytest.raises(FileNotFoundError, match="gone"):
        hooks.rewritten('<img src="docs/gone.png">', "README.md")


def test_commands_of_the_gallery_are_those_of_make():
    """`make docs` makes the reports that the page shows, by the commands above them."""
    make = (ROOT / "Makefile").read_text().replace("$(GALLERY)", "outputs/gallery")
    recipe = re.search(r"^docs: .*\n((?:\t.*\n)+)", make, re.MULTILINE)[1].replace("\\\n", " ")
    run = [line.split()[1:] for line in recipe.splitlines() if "/lightnas " in line]
    shown = [
        command
        for _, block in pages.blocks((ROOT / "docs/gallery.md").read_text())
        for command in pages.commands(block)
        if "outputs/gallery" in " ".join(command)
    ]
    assert [[word for word in words if word != "--overwrite"] for words in run] == shown


def test_the_gallery_shows_what_was_made(hooks, tmp_path, monkeypatch):
    """The report below its command where there is one, the command alone where there is none."""
    monkeypatch.setattr(hooks, "ROOT", tmp_path)
    made = tmp_path / "outputs/gallery/search"
    made.mkdir(parents=True)
    text = (ROOT / "docs/gallery.md").read_text()
    assert hooks.with_reports(text) == text
    (made / "report.html").write_text("<p>")
    shown = hooks.with_reports(text)
    assert shown.count("<iframe") == 1
    assert shown.index("outputs/gallery/search") < shown.index("(reports/search.html)")
    assert shown.index("<iframe") < shown.index("outputs/gallery/front")


# What packages are called that tests do without, where pip calls them otherwise.
PACKAGES = {
    "PIL": "pillow", "cv2": "opencv-python-headless", "faster_coco_eval": "faster-coco-eval",
    "sklearn": "scikit-learn",
}  # fmt: skip
# timm brings it along.
BROUGHT = {"torchvision"}


def extras_of(target):
    """The extras that a target of the Makefile installs."""
    recipe = (ROOT / "Makefile").read_text().split(f"\n{target}:", 1)[1].split("\n\n")[0]
    return re.search(r"-e '\.\[([\w,]+)\]'", recipe)[1].split(",")


def test_make_test_installs_what_tests_would_be_skipped_without():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    asked = "\n".join(
        setup["options.extras_require"][extra] for extra in extras_of(".venv-det/ready")
    )
    there = {re.split(r"[\s>=<\[]", line)[0] for line in asked.splitlines() if line}
    pinned = {
        line.split("==")[0].lower()
        for line in (ROOT / "tests/constraints.txt").read_text().splitlines()
    }
    skipping = {
        name.split(".")[0]
        for path in (ROOT / "tests").rglob("*.py")
        for name in re.findall(r'importorskip\("([\w.]+)"', path.read_text())
    }
    runtimes = {"onnxruntime", "openvino"}
    needed = {
        PACKAGES.get(name, name)
        for name in skipping | runtimes
        if name not in {*sys.stdlib_module_names, "lightnas"} | BROUGHT
    }
    assert len(needed) > 10 and needed <= there and needed | BROUGHT <= pinned


def test_names_of_the_package_are_in_the_reference():
    page = (ROOT / "docs/reference/lightnas.md").read_text()
    assert {*lightnas.__all__} - {"__version__"} == {*re.findall(r"`(\w+)`", page)}
