"""What says where the pictures of a YOLO set are and what its classes are called."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import InputError, shown
from ...files import read_text
from ...yaml_file import read_yaml
from .found import told
from .tree import Near, Tree, of_split

CLASS_FILES = ("classes.txt", "obj.names", "_darknet.labels", "predefined_classes.txt")
KEYS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
NONE = ("", "~", "null", "Null", "NULL", "None")
MAX_BYTES = 2**26


@dataclass
class YoloSet:
    """A set as its data.yaml, obj.data or classes.txt describes it.

    Attributes:
        file: what describes it.
        root: where its paths begin.
        names: of the classes, by their numbers.
        sources: of each split, the folders and lists of pictures; empty where folders say it.
        keypoints: whether keypoints stand behind every box.
        notes: what was understood, in words.
    """

    file: Path
    root: Path
    names: dict[int, str]
    sources: dict[str, list[str]] = field(default_factory=dict)
    keypoints: bool = False
    notes: list[str] = field(default_factory=list)

    def source(self, split: str) -> Path:
        """What messages about a split name."""
        entries = self.sources.get(split)
        return self._resolved(entries[0], split) if entries else self.file.parent

    def pictures(self, split: str) -> list[Path]:
        """The pictures of a split, each once, in order.

        Raises:
            InputError: a folder or list of the split is nowhere.
        """
        found: dict[Path, None] = {}
        for entry in self.sources.get(split, ()):
            path = self._resolved(entry, split)
            if path.is_dir():
                found.update((path / name, None) for name in Tree(path).files)
            elif path.suffix.lower() == ".txt":
                found.update((picture, None) for picture in self._listed(path, split))
            else:
                found[path] = None
        if self.sources.get(split) and not found:
            raise InputError(
                f"{self.file}: {split} is {shown(self.sources[split][0])}, which holds no picture, "
                "expected a folder or a list of pictures"
            )
        return list(found)

    def _resolved(self, entry: str, split: str) -> Path:
        path = _placed(entry, (self.root, self.file.parent))
        if path is None:
            raise InputError(
                f"{self.file}: {split} is {shown(entry)}, which is nowhere in {self.root}, "
                "expected a folder or a list of pictures"
            )
        return path

    def _listed(self, path: Path, split: str) -> Iterator[Path]:
        """Pictures of a list, each a path from the list, from the root, or from wherever it was."""
        tree: Tree | None = None
        for line in read_text(path, MAX_BYTES).splitlines():
            name = line.strip()
            if not name:
                continue
            bases = (path.parent, self.root, self.file.parent)
            here = next((base / name for base in bases if _is_file(base / name)), None)
            if here is None:
                tree = tree or Tree(self.file.parent)
                files = of_split(tree.find(name), split)
                if len(files) > 1:
                    raise InputError(
                        f"{path}: {shown(name)} may be {files[0]} or {files[1]}, expected one "
                        "picture of that name"
                    )
                here = tree.folder / files[0] if files else path.parent / name
            yield Path(here)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except ValueError:  # a NUL in it
        return False


def _placed(entry: str, bases: tuple[Path, ...]) -> Path | None:
    """Where a path of a data.yaml is: as it stands from one of the folders, else what of its end is
    there. Roboflow writes ``../train/images`` for ``train/images``, and others the folders of the
    machine that they ran on."""
    text = entry.replace("\\", "/")
    parts = [part for part in PurePosixPath(text).parts if part not in ("/", ".", "..")]
    places = [base / text for base in bases]
    places += [base.joinpath(*parts[i:]) for i in range(len(parts)) for base in bases]
    try:
        return next((place for place in places if place.exists()), None)
    except ValueError:  # a NUL in it
        return None


# --- which file says it ---------------------------------------------------------------------------------------------


def describing(near: Near) -> list[Path]:
    """The files of a folder that may describe a YOLO set, of the first kind that is there: YAML
    files with splits and classes, obj.data, files of class names."""
    if found := [path for path in near.of(".yaml", ".yml", depth=1) if _says_set(path)]:
        return found
    if found := [path for path in near.of(".data", depth=1) if path.name == "obj.data"]:
        return found
    return [
        path for path in near.of(".txt", ".names", ".labels", depth=2) if path.name in CLASS_FILES
    ]


def _says_set(path: Path) -> bool:
    try:
        text = read_text(path, 2**20)
    except InputError:
        return False
    keys = set(re.findall(r"^[\"']?(\w+)[\"']?\s*:", text, re.MULTILINE))
    return bool(keys & {"names", "nc"}) and bool(keys & {"train", "val", "names"})


def read_set(file: Path) -> YoloSet:
    """The set that a data.yaml, an obj.data or a file of class names describes.

    Raises:
        InputError: it is damaged, or does not name its classes.
    """
    if file.suffix.lower() in (".yaml", ".yml"):
        return _of_yaml(file)
    if file.name == "obj.data":
        return _of_darknet(file)
    return YoloSet(file, file.parent, _lines(file))


def _lines(path: Path) -> dict[int, str]:
    lines = [line.strip() for line in read_text(path, MAX_BYTES).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if not lines or "" in lines:
        raise InputError(f"{path}: has an empty line or none, expected the name of a class in each")
    return dict(enumerate(lines))


def _of_yaml(file: Path) -> YoloSet:
    content = read_yaml(file, as_text=True)
    if not isinstance(content, dict):
        raise InputError(f"{file}: holds {shown(content)}, expected keys and values")
    known = YoloSet(file, file.parent, {}, keypoints="kpt_shape" in content)
    path = content.get("path")
    if isinstance(path, str) and path not in NONE:
        known.root = _placed(path, (file.parent,)) or file.parent
    known.names = _names(content, file, known.notes)
    for split, keys in KEYS.items():
        entries = next((content[key] for key in keys if content.get(key)), None)
        entries = entries if isinstance(entries, list) else [entries]
        given = [entry for entry in entries if entry is not None and entry not in NONE]
        if not all(isinstance(entry, str) for entry in given):
            raise InputError(f"{file}: {split} is {shown(given)}, expected paths")
        if given:
            known.sources[split] = given
    if known.sources.get("train") and known.sources.get("train") == known.sources.get("val"):
        known.notes.append("val is the same pictures as train: its AP says nothing of new pictures")
    return known


def _names(content: dict[str, Any], file: Path, notes: list[str]) -> dict[int, str]:
    given, count = content.get("names"), content.get("nc")
    if isinstance(given, list) and given:
        names = dict(enumerate(given))
    elif isinstance(given, dict) and given and all(str(key).isdigit() for key in given):
        names = {int(key): value for key, value in given.items()}
    elif given is None and isinstance(count, str) and count.isdigit() and 0 < int(count) < 10_000:
        names = {number: f"class_{number}" for number in range(int(count))}
        notes.append(f"{file.name} does not name its classes: they are class_0, class_1 ...")
    else:
        raise InputError(
            f"{file}: names is {shown(given)}, expected a list of class names, or names by number"
        )
    if not all(isinstance(name, str) and name for name in names.values()):
        raise InputError(f"{file}: names is {shown(given)}, expected texts")
    if isinstance(count, str) and count.isdigit() and int(count) != len(names):
        raise InputError(f"{file}: nc is {count}, but names has {len(names)}, expected as many")
    return names


def _of_darknet(file: Path) -> YoloSet:
    pairs = (line.partition("=") for line in read_text(file, MAX_BYTES).splitlines())
    content = {key.strip(): value.strip() for key, _, value in pairs}
    names = _placed(content.get("names", ""), (file.parent,))
    if names is None or not names.is_file():
        raise InputError(
            f"{file}: names is {shown(content.get('names'))}, expected a file of class names"
        )
    known = YoloSet(file, file.parent, _lines(names))
    for split, keys in KEYS.items():
        given = [content[key] for key in keys if content.get(key)]
        # darknet's sample writes train.txt for valid too, whether it is there or not
        known.sources |= {split: given[:1]} if given and _placed(given[0], (file.parent,)) else {}
    return known


def one_of(files: list[Path], data: Path) -> Path:
    """The file that describes a set.

    Raises:
        InputError: several do, and say different things.
    """
    if len({path.read_bytes() for path in files}) > 1:
        names = [path.relative_to(data).as_posix() for path in files]
        raise InputError(
            f"data {data}: {told(len(names), 'file says', 'files say', names)} what its classes are, "
            "expected one"
        )
    return files[0]
