"""A training's work directory: what it leaves behind, and what test, detect and resume read.

    config.py                   everything that decides the run, structure and classes included
    structure.txt               the structure, where the backbone is one of ours
    epoch_N.pth, latest.pth     the last checkpoint, and a link to it
    best_bbox_mAP_epoch_N.pth   the one of the best AP on the val split
    result.json                 AP of the best checkpoint; its presence says that the run is finished
    report.html                 curves, AP, structure and pictures on one page
    detections.jpg              what it finds on pictures of the val split
    annotations/                annotation files without what --skip-bad-images left out
    *.log, *.log.json, tf_logs/ what was said; losses and AP of every epoch; the same for TensorBoard

This is what does not depend on the framework that trains; the config's text is the framework's.
"""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import InputError
from .output_dir import OutputDir

CONFIG, RESULT, PICTURE, ANNOTATIONS = "config.py", "result.json", "detections.jpg", "annotations"


class TrainingRun(OutputDir):
    """One work directory, held by one run at a time."""

    option = "--work-dir"
    kind = "training run"
    home = "work directory of a training run"
    config_name = CONFIG
    result_name = RESULT
    ours = re.compile(
        r"config\.py|structure\.txt|result\.json|detections\.jpg|report\.html|annotations|tf_logs|\.eval_hook"
        r"|latest\.pth|(best_.*|epoch_\d+|iter_\d+)\.pth|\d{8}_\d{6}\.log(\.json)?|\..*\.part"
    )

    def _check(self, resume: bool, overwrite: bool) -> None:
        super()._check(resume, overwrite)
        if overwrite and not any(self.ours.fullmatch(entry.name) for entry in self.path.iterdir()):
            raise InputError(
                f"--overwrite: {self.path} holds no training run, expected one that may be replaced"
            )

    @property
    def last(self) -> Path | None:
        """The last whole checkpoint."""
        return self._newest(r"(?:epoch|iter)_(\d+)\.pth")

    @property
    def best(self) -> Path | None:
        """The checkpoint of the best AP; the last one where no epoch found anything."""
        return self._newest(r"best_\w+_(?:epoch|iter)_(\d+)\.pth") or self.last

    def _newest(self, pattern: str) -> Path | None:
        found = [
            (int(match[1]), path)
            for path in self.path.iterdir()
            if (match := re.fullmatch(pattern, path.name))
        ]
        return max(found)[1] if found else None
