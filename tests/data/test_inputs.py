"""What detect is asked to look at."""

import pytest

from lightnas.errors import InputError

pytest.importorskip("PIL")

from lightnas.data.inputs import find_inputs


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.JPG", "a.png", "notes.md", ".a.jpg", "deep/er/c.tif", "deep/clip.mp4",
                 ".cache/x.jpg", "found/a.png"):  # fmt: skip
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "photos"


def names(found):
    return [str(path) for path in found]


def test_a_folder_with_all_in_it_but_the_output(photos):
    assert names(find_inputs(["photos"], photos / "found")) == [
        "photos/a.png", "photos/b.JPG", "photos/deep/clip.mp4", "photos/deep/er/c.tif",
    ]  # fmt: skip


def test_files_as_given(photos):
    """Twice, of any suffix, or missing: whoever reads them says so."""
    given = ["photos/a.png", "photos/notes.md", "photos/a.png", "nowhere.jpg"]
    assert names(find_inputs(given, photos)) == given


def test_patterns(photos):
    assert names(find_inputs(["photos/**/*.[tp]*"], photos)) == [
        "photos/a.png", "photos/deep/er/c.tif", "photos/found/a.png",
    ]  # fmt: skip
    (photos / "[1].png").touch()
    assert names(find_inputs(["photos/[1].png"], photos)) == ["photos/[1].png"]


def test_lists(photos):
    """Paths from here or from the list's folder; folders and patterns too."""
    (photos / "list.txt").write_text("\ufeffphotos/a.png\n\ndeep\r\nb.JPG\n", encoding="utf-8")
    assert names(find_inputs(["photos/list.txt"], photos / "found")) == [
        "photos/a.png", "photos/deep/clip.mp4", "photos/deep/er/c.tif", "photos/b.JPG",
    ]  # fmt: skip


@pytest.mark.parametrize("given", ["empty", "photos/*.gif", "empty.txt"])
def test_nothing_is_refused_by_name(photos, given):
    (photos.parent / "empty").mkdir()
    (photos.parent / "empty.txt").touch()
    with pytest.raises(InputError, match=given.replace("*", r"\*")):
        find_inputs([given], photos)
