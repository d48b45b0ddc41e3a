"""A training's work directory: what it leaves behind, and what test, detect and resume read.

    config.py                   everything that decides the run, structure and classes included
    structure.txt               the structure, where the backbone is one of ours
    epoch_N.pth, latest.pth     the last checkpoint, and a link to it
    best_bbox_mAP_epoch_N.pth   the one of the best AP on the val split
    result.json                 AP of the best checkpoint; its presence says that the run is finished
    evaluation.json             which classes it takes for which, and precision over recall
    fingerprint.json            counts, classes and a hash of its data, by which others are told
    report.html                 curves, AP, structure and pictures on one page
    detections.jpg              what it finds on pictures of the val split
    annotations/                of each split the one file that everything reads: a link to the user's, or written anew
    *.log, *.log.json, tf_logs/ what was said; losses and AP of every epoch; the same for TensorBoard

This is what does not depend on the framework that trains; the config's text is the framework's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from .output_dir import REPORT, STRUCTURE, OutputDir

CONFIG, RESULT, PICTURE, ANNOTATIONS = "config.py", "result.json", "detections.jpg", "annotations"
EVALUATION, FINGERPRINT = "evaluation.json", "fingerprint.json"


class TrainingRun(OutputDir):
    """One work directory, held by one run at a time."""

    option = "work_dir"
    kind = "training run"
    mark, command = "training", "train-det"
    home = "work directory of a training run"
    inside: ClassVar[Mapping[str, str]] = {
        "tf_logs": "events.out.tfevents.*",
        ".eval_hook": "part_*.pkl",
    }
    config_name = CONFIG
    result_name = RESULT
    ours = re.compile(
        r"config\.py|structure\.txt|result\.json|detections\.jpg|report\.html|annotations|tf_logs|\.eval_hook"
        r"|latest\.pth|(best_.*|epoch_\d+|iter_\d+)\.pth|\d{8}_\d{6}\.log(\.json)?|\..*\.part"
    )

    def _is_ours(self, path: Path) -> bool:
        """A config.py may be anybody's; a training leaves logs and checkpoints beside it."""
        made = re.compile(r"(best_.*|epoch_\d+|iter_\d+)\.pth|\d{8}_\d{6}\.log(\.json)?")
        return any(made.fullmatch(entry.name) for entry in path.iterdir())

    def begin(self, annotations: Sequence[str]) -> None:
        """List what a training makes beside its checkpoints and logs.

        Args:
            annotations: names of the files in ``annotations/``.
        """
        self.record(STRUCTURE, PICTURE, REPORT, "latest.pth", *(f"{name}/" for name in self.inside))
        self.record(*(f"{ANNOTATIONS}/{name}" for name in annotations))

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
