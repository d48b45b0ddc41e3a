"""Pascal VOC's layout: an XML file for every picture, which LabelImg and others write beside it.

    Annotations/a.xml           size and objects: name, and a bndbox of xmin, ymin, xmax, ymax
    JPEGImages/a.jpg            the picture, of the same stem
    ImageSets/Main/train.txt    the stems of a split, a line each; val.txt, test.txt

or ``a.xml`` beside ``a.jpg``, in ``train/``, ``valid/``, ``test/`` as Roboflow has it, or in one folder.

VOC counts pixels from 1, and its xmax is the last pixel of the object: the box begins at xmin - 1 and
ends at xmax. A set with a corner below 1, or between two pixels, counts from 0, as CVAT and Label
Studio do, and its boxes begin at xmin. What is marked difficult is an object as others are.

Read here and not by a converter: globox and supervision look for pictures under the name that the
XML has from the machine that it was drawn on, take all corners as they stand, and know no splits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ...errors import InputError
from ...files import read_text
from ..split import CocoSplit
from .found import Found, Object, Picture, as_split, told
from .tree import Near, Tree, folded, of_split
from .voc_xml import Labelled, is_voc, read_voc
from .words import WORDS, folder_split, split_of

LOOKED_FOR = "Annotations/*.xml, or *.xml beside pictures (Pascal VOC)"
MAX_BYTES = 2**26
Sorted = dict[str | None, list[Path]]


def looks(near: Near) -> bool:
    """Whether there is an XML file of VOC's where such sets have them; not that of a set in a folder
    of its own, which ``VOCdevkit`` may hold several of."""
    return any(_is_near(path.relative_to(near.folder)) and is_voc(path) for path in near.of(".xml"))


def _is_near(path: Path) -> bool:
    return (
        len(path.parts) < 3
        or path.parts[0].lower() == "annotations"
        or bool(split_of(path.parts[1]))
    )


def read(near: Near, wanted: Sequence[str]) -> Found:
    """The splits that are wanted, and the pictures of no split.

    Raises:
        InputError: an XML file is damaged, says of an object no name or no box, or may belong to
            two pictures.
    """
    data = near.folder
    found = Found("Pascal VOC", data)
    files = [path for path in sorted(data.rglob("*.xml")) if is_voc(path)]
    sorted_in = _listed(data, files, found) or _foldered(data, files)
    rest = sorted_in.pop(None, [])
    unsplit = rest if "train" in wanted and "train" not in sorted_in else []
    read = {
        path: read_voc(path)
        for paths in (*(sorted_in.get(split, []) for split in wanted), unsplit)
        for path in paths
    }
    pictures = _Pictures(data, read, found)
    for split in wanted:
        if split in sorted_in:
            found.splits[split] = pictures.split(sorted_in[split], data / split)
    if unsplit:
        found.unsplit = pictures.split(unsplit, data)
    elif rest:
        names = [path.name for path in rest]
        found.notes.append(
            "left alone: "
            + told(len(names), "XML file is", "XML files are", names)
            + " of no split"
        )
    pictures.say_more(files)
    return found


def _listed(data: Path, files: Sequence[Path], found: Found) -> Sorted:
    """The XML files of each list in ImageSets/Main; nothing where there is none of a split.

    Lists of one class (``cat_train.txt``) are not looked at. ``trainval.txt`` is never both: without
    a ``train.txt``, what of it is not in ``val.txt`` is train.
    """
    lists = {path.stem.lower(): path for path in sorted(data.glob("ImageSets/*/*.txt"))}
    by_stem = {path.stem: path for path in files}
    sorted_in: Sorted = {}
    for split, forms in WORDS.items():
        path = next((lists[form] for form in forms if form in lists), None)
        if path is not None and (there := _files_of(path, by_stem, data, found)):
            sorted_in[split] = there
    if not sorted_in:
        return {}
    named = {path for paths in sorted_in.values() for path in paths}
    both = lists.get("trainval")
    rest = [path for path in (_files_of(both, by_stem, data, found) if both else files) if path not in named]  # fmt: skip
    if rest and "train" not in sorted_in:
        sorted_in["train" if both and "val" in sorted_in else None] = rest
    return sorted_in


def _files_of(path: Path, by_stem: Mapping[str, Path], data: Path, found: Found) -> list[Path]:
    lines = [line.split() for line in read_text(path, MAX_BYTES).splitlines()]
    names = [Path(line[0]).name for line in lines if line]
    stems = [name if name in by_stem else Path(name).stem for name in names]
    without = [stem for stem in stems if stem not in by_stem]
    if without:
        found.notes.append(
            f"{path.relative_to(data).as_posix()}: "
            + told(len(without), "picture has", "pictures have", without)
            + " no XML file: left out"
        )
    return [by_stem[stem] for stem in dict.fromkeys(stems) if stem in by_stem]


def _foldered(data: Path, files: Sequence[Path]) -> Sorted:
    sorted_in: Sorted = {}
    for path in files:
        sorted_in.setdefault(folder_split(path.relative_to(data)), []).append(path)
    return sorted_in


class _Pictures:
    """The pictures that XML files speak of."""

    def __init__(self, data: Path, read: Mapping[Path, Labelled], found: Found) -> None:
        self._data, self._read, self._found = data, read, found
        items = [item for labelled in read.values() for item in labelled.objects]
        names = sorted({item.name for item in items})
        if not names:
            raise InputError(
                f"data {data}: no object in any of {len(read):,} XML files, expected some"
            )
        self._names = dict(enumerate(names, start=1))
        self._numbers = {name: number for number, name in self._names.items()}
        from_zero = any(
            min(item.corners[:2]) < 1 or any(value % 1 for value in item.corners) for item in items
        )
        self._first = 0 if from_zero else 1
        self._tree = Tree(data)
        self._by_stem: dict[str, list[str]] = {}
        for name in self._tree.files:
            self._by_stem.setdefault(folded(Path(name).stem), []).append(name)

    def split(self, files: Sequence[Path], source: Path) -> CocoSplit:
        """The pictures of XML files as a split."""
        return as_split([self._picture(path) for path in files], self._names, source)

    def say_more(self, files: Sequence[Path]) -> None:
        """How corners are counted, what is marked, and which pictures have no XML file."""
        reason = "a corner is below 1 or between pixels" if not self._first else "as VOC's do"
        self._found.notes.append(f"corners count from {self._first}: {reason}")
        difficult = sum(item.difficult for labelled in self._read.values() for item in labelled.objects)  # fmt: skip
        if difficult:
            self._found.notes.append(
                told(difficult, "object", "objects", [])
                + " marked difficult are objects as others are"
            )
        stems = {folded(path.stem) for path in files}
        bare = [
            name for stem, names in self._by_stem.items() for name in names if stem not in stems
        ]
        if bare:
            self._found.notes.append(
                told(len(bare), "picture has", "pictures have", bare)
                + " no XML file: left out, since nobody says that nothing is on them"
            )

    def _picture(self, file: Path) -> Picture:
        labelled = self._read[file]
        name = file.relative_to(self._data).as_posix()
        objects = []
        for number, item in enumerate(labelled.objects, start=1):
            x1, y1, x2, y2 = item.corners
            x1, y1 = x1 - self._first, y1 - self._first
            box = (x1, y1, x2 - x1, y2 - y1)
            objects.append(Object(f"{name} object {number}", self._numbers[item.name], box))
        return Picture(self._path(file, labelled.filename), objects, labelled.size)

    def _path(self, file: Path, filename: str) -> Path:
        """The picture of an XML file: of its stem in JPEGImages or beside it, else anywhere in the
        set, else of the name that it says."""
        home = file.parent.parent / "JPEGImages"
        names = self._by_stem.get(folded(file.stem), [])
        places: tuple[Callable[[Path], bool], ...] = (
            lambda path: path.parent == home,
            lambda path: path.parent == file.parent,
            lambda path: path.parent.name == file.parent.name,
            lambda path: path.stem == file.stem,
            lambda path: path.name == filename,
        )
        split = folder_split(file.relative_to(self._data))
        for fits in places:  # each tells apart what the ones before it do not
            names = [name for name in names if fits(self._data / name)] or names
        names = of_split(names or self._tree.find(filename), split)
        if len(names) > 1:
            raise InputError(
                f"{file}: may belong to {names[0]} or {names[1]}, expected one picture of that name"
            )
        if names:
            return self._data / names[0]
        folder = home if home.is_dir() else file.parent
        return folder / (Path(filename.replace("\\", "/")).name or f"{file.stem}.jpg")
