"""A work directory: what a training run leaves behind, and what test, detect and resume read.

config.py                   everything that decides the run, structure and classes included
structure.txt               the structure, where the backbone is one of ours
epoch_N.pth, latest.pth     the last checkpoint, and a link to it
best_bbox_mAP_epoch_N.pth   the one of the best AP on the val split
result.json                 AP of the best checkpoint; its presence says that the run is finished
report.html                 curves, AP, structure and pictures on one page
detections.jpg              what it finds on pictures of the val split
annotations/                annotation files without what --skip-bad-images left out
*.log, *.log.json, tf_logs/ what was said; losses and AP of every epoch; the same for TensorBoard
"""

from __future__ import annotations

import fcntl
import json
import re
import shutil
from pathlib import Path
from typing import IO, Any

from mmcv import Config

from lightnas.errors import InputError
from lightnas.files import NO_SPACE, write_whole
from lightnas.network.structure import format_structures

from .settings import format_config, plain, read_config, structure_of

CONFIG, STRUCTURE, RESULT, PICTURE, LOCK = (
    "config.py",
    "structure.txt",
    "result.json",
    "detections.jpg",
    ".lock",
)
OURS = re.compile(
    r"(config\.py|structure\.txt|result\.json|detections\.jpg|report\.html|annotations|tf_logs|\.eval_hook|latest\.pth"
    r"|(best_.*|epoch_\d+|iter_\d+)\.pth|\d{8}_\d{6}\.log(\.json)?|\.lock|\..*\.part)"
)
# What may differ between a run and its continuation: where the data lies, and what the result does not depend on.
MAY_DIFFER = {"ann_file", "img_prefix", "workers_per_gpu", "device", "work_dir"}


class WorkDir:
    """One work directory, held by one run at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def begin(cls, path: Path, resume: bool, overwrite: bool) -> WorkDir:
        """Make the directory, or take it over, and hold it until ``close``.

        Raises:
            InputError: it is not empty (without resume or overwrite), holds no run (with resume), is in use, or cannot
                be written.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            empty = not [entry for entry in path.iterdir() if entry.name != LOCK]
            if not empty and not (resume or overwrite):
                raise InputError(
                    f"--work-dir {path} is not empty, expected a new directory, --resume or --overwrite"
                )
            if resume and not empty and not (path / CONFIG).is_file():
                raise InputError(
                    f"--resume: {path} holds no {CONFIG}, expected the work directory of a training run"
                )
            if (
                overwrite
                and not empty
                and not any(OURS.fullmatch(entry.name) for entry in path.iterdir())
            ):
                raise InputError(
                    f"--overwrite: {path} holds no training run, expected one that may be replaced"
                )
            run = cls(path)
            run._lock()
            return run
        except OSError as error:
            if error.errno in NO_SPACE:
                raise
            raise InputError(
                f"--work-dir {path} cannot be written ({error.strerror}), expected a directory"
            ) from error

    def _lock(self) -> None:
        self._held: IO[str] = open(self.path / LOCK, "w", encoding="utf-8")  # noqa: SIM115 (held until close)
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._held.close()
            raise InputError(
                f"--work-dir {self.path} is in use by another training run, expected one of its own"
            ) from error

    def close(self) -> None:
        """Let go of the directory."""
        self._held.close()

    def clear(self) -> None:
        """Remove the files of an earlier run, and nothing else."""
        for entry in self.path.iterdir():
            if entry.name != LOCK and OURS.fullmatch(entry.name):
                shutil.rmtree(
                    entry
                ) if entry.is_dir() and not entry.is_symlink() else entry.unlink()

    def write_config(self, cfg: Config) -> None:
        """Write the config, and the structure beside it."""
        structure = structure_of(cfg)
        if structure is not None:
            write_whole(self.path / STRUCTURE, format_structures([structure]).encode())
        write_whole(self.path / CONFIG, format_config(cfg).encode())

    def check_same(self, cfg: Config) -> None:
        """Refuse to continue a run with a config that is not its own.

        Raises:
            InputError: the first things that differ.
        """
        there = read_config(self.path / CONFIG)
        if structure_of(there) != structure_of(cfg):
            raise InputError(
                f"--resume: {self.path} holds a run of another structure, expected the one in its {STRUCTURE}"
            )
        found = list(_differences(plain(there), plain(cfg)))
        if found:
            raise InputError(
                f"--resume: {self.path} holds a run of another config: {'; '.join(found[:3])}"
            )

    @property
    def last(self) -> Path | None:
        """The last whole checkpoint."""
        return _newest(self.path, r"(?:epoch|iter)_(\d+)\.pth")

    @property
    def best(self) -> Path | None:
        """The checkpoint of the best AP; the last one where no epoch found anything."""
        return _newest(self.path, r"best_\w+_(?:epoch|iter)_(\d+)\.pth") or self.last

    @property
    def result(self) -> dict[str, Any] | None:
        """The result of a finished run."""
        path = self.path / RESULT
        return json.loads(path.read_text()) if path.is_file() else None


def _newest(folder: Path, pattern: str) -> Path | None:
    found = [
        (int(match[1]), path)
        for path in folder.iterdir()
        if (match := re.fullmatch(pattern, path.name))
    ]
    return max(found)[1] if found else None


def _differences(there: Any, here: Any, where: str = "") -> list[str]:
    if isinstance(there, dict) and isinstance(here, dict):
        keys = [key for key in {**there, **here} if key not in MAY_DIFFER]
        return [
            line
            for key in keys
            for line in _differences(there.get(key), here.get(key), f"{where}.{key}".lstrip("."))
        ]
    if (
        isinstance(there, list | tuple)
        and isinstance(here, list | tuple)
        and len(there) == len(here)
    ):
        return [
            line
            for i, pair in enumerate(zip(there, here, strict=True))
            for line in _differences(*pair, f"{where}.{i}")
        ]
    same = there == here or (
        isinstance(there, list | tuple)
        and isinstance(here, list | tuple)
        and list(there) == list(here)
    )
    return [] if same else [f"{where} is {str(there)[:60]}, now {str(here)[:60]}"]
