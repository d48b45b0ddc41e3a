"""A training's work directory: what it leaves behind, and what test, detect and resume read.

    config.py                   everything that decides the run, structure and classes included
    structure.txt               the structure, where the backbone is one of ours
    epoch_N.pth, latest.pth     the last checkpoint, and a link to it
    best_bbox_mAP_epoch_N.pth   the one of the best AP on the val split
    data.json                   what the data are like: pictures, objects, classes, likely mistakes
    result.json                 AP of the best checkpoint; its presence says that the run is finished
    evaluation.json             which classes it takes for which, and precision over recall
    fingerprint.json            counts, classes and a hash of its data, by which others are told
    initial.json                what it began from, if from the weights of another structure
    report.html                 curves, AP, structure and pictures on one page
    detections.jpg              pictures of the val split with what is there, and with what it finds
    annotations/                of each split the one file that everything reads: a link to the user's, or written anew
    *.log, *.log.json, tf_logs/ what was said; losses and AP of every epoch; the same for TensorBoard

This is what does not depend on the framework that trains; the config's text is the framework's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, create_model, model_validator

from ..documents import Amount, Count, Document, check
from ..errors import advised
from ..files import part_of
from ..json_file import read_json
from ..outputs import read_marker
from .output_dir import REPORT, STRUCTURE, OutputDir

CONFIG, RESULT, PICTURE, ANNOTATIONS = "config.py", "result.json", "detections.jpg", "annotations"
EVALUATION, FINGERPRINT = "evaluation.json", "fingerprint.json"
DATA, INITIAL = "data.json", "initial.json"

# Patterns of their names, by epoch or iteration.
CHECKPOINTS, BEST = r"(?:epoch|iter)_(\d+)\.pth", r"best_\w+_(?:epoch|iter)_(\d+)\.pth"
# Average precision as result.json has it, in COCO's order, and what it is called; None where the
# split has no object of that size.
METRICS = {
    "ap": "AP",
    "ap50": "AP50",
    "ap75": "AP75",
    "ap_s": "AP small",
    "ap_m": "AP medium",
    "ap_l": "AP large",
}
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Precision = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]


class ClassFile(Document):
    """What result.json says of a class."""

    name: Annotated[str, Field(alias="class")]
    ap: Precision | None
    ap50: Precision | None
    objects: Count
    pictures: Count


TrainedFile = create_model(
    "TrainedFile",
    __base__=Document,
    per_class=(list[ClassFile] | None, None),
    carried=(Share | None, None),
    recipe=(list[str] | None, None),
    **dict.fromkeys(METRICS, (Precision | None, None)),
)  # type: ignore[call-overload]


class InitialFile(Document):
    """What initial.json says: the path that was ``given``, the ``checkpoint`` there that a run began
    from, the share of its backbone's parameters that were ``carried`` over, and what was ``said``."""

    given: str
    checkpoint: str
    carried: Share
    said: str


class CurvesFile(Document):
    """Precision over recall in evaluation.json; None where there is nothing to find."""

    iou: Amount
    recall: list[Amount]
    mean: list[Amount] | None
    per_class: list[list[Amount] | None]


class ConfusionFile(Document):
    """The confusion matrix in evaluation.json: a row and a column for each name."""

    iou: Amount
    score: Amount
    names: list[str]
    counts: list[list[Count]]


class EvaluationFile(Document):
    """What evaluation.json holds."""

    curves: CurvesFile
    confusion: ConfusionFile

    @model_validator(mode="after")
    def _fits(self) -> EvaluationFile:
        """Lists that belong together are as long as each other."""
        drawn = [self.curves.mean, *self.curves.per_class]
        if any(len(curve) != len(self.curves.recall) for curve in drawn if curve is not None):
            raise ValueError("have as many values in each curve as in recall")
        n = len(self.confusion.names)
        if n < 1 or {len(self.confusion.counts), *map(len, self.confusion.counts)} != {n}:
            raise ValueError("have as many rows and columns of counts as names")
        return self


class FingerprintFile(Document):
    """What fingerprint.json says of a split."""

    pictures: Count
    objects: Count
    classes: list[str]
    sha256: str


class SplitFile(Document):
    """What data.json says of a split: its own numbers, or which other one it is the ``same_as``."""

    pictures: Count
    without_objects: Count
    objects: Count
    crowds: Count
    classes: dict[str, Count]
    sizes: dict[Literal["small", "medium", "large"], Count]
    objects_a_picture: dict[str, Amount]
    picture_sizes: dict[str, Annotated[list[Count], Field(min_length=2, max_length=2)]]
    left_out: list[str]
    notes: list[str]


class SameSplitFile(Document):
    """What data.json says of a split that stands for another one too."""

    same_as: str


class DataFile(Document):
    """What data.json says of the data of a training."""

    layout: str
    notes: list[str]
    classes: list[str]
    splits: dict[str, SplitFile | SameSplitFile]
    mistakes: list[str]


def is_work_dir(path: Path) -> bool:
    """Whether a path is the work directory of a training."""
    # path.is_file would raise for a name that is too long.
    return os.path.isfile(path / CONFIG)


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
    parts = ("checkpoint",)
    config_name = CONFIG
    result_name = RESULT
    result_shape = TrainedFile
    ours = re.compile(
        r"config\.py|structure\.txt|result\.json|detections\.jpg|report\.html|annotations|tf_logs|\.eval_hook"
        r"|latest\.pth|(best_.*|epoch_\d+|iter_\d+)\.pth|\d{8}_\d{6}\.log(\.json)?"
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

    def located(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """What result.json holds, with paths to the checkpoints, which it names without their
        directory: that may be moved."""
        names = {key: Path(str(result[key])).name for key in ("checkpoint", "last")}
        return {**result, **{key: str(self.path / name) for key, name in names.items()}}

    @property
    def initial(self) -> InitialFile | None:
        """What it began from, None where that were no weights of another structure.

        Raises:
            InputError: the file is damaged.
        """
        path = self.path / INITIAL
        if not path.is_file():
            return None
        with advised("overwrite=True starts anew"):
            return check(InitialFile, read_json(path, "what a run began from"), str(path))

    @property
    def last(self) -> Path | None:
        """The last whole checkpoint."""
        return self._newest(CHECKPOINTS)

    @property
    def best(self) -> Path | None:
        """The checkpoint of the best AP; the last one where no epoch found anything."""
        return self._newest(BEST) or self.last

    def tidy(self, keep: int) -> None:
        """Do what a kill between two files of a checkpoint left undone: link ``latest.pth`` to the
        last one, and remove those that it replaced.

        Args:
            keep: how many checkpoints stay beside the best one; all of them below 1.
        """
        marker = read_marker(self.path)
        made = marker["files"] if marker else []
        old = self._rising(BEST)[:-1] + (self._rising(CHECKPOINTS)[:-keep] if keep > 0 else [])
        for path in old:
            if path.name in made:
                path.unlink()
        latest, last = self.path / "latest.pth", self.last
        if last is not None and latest.is_symlink() and os.readlink(latest) != last.name:
            beside = part_of(latest)
            beside.unlink(missing_ok=True)
            beside.symlink_to(last.name)
            beside.replace(latest)

    def _newest(self, pattern: str) -> Path | None:
        return next(reversed(self._rising(pattern)), None)

    def _rising(self, pattern: str) -> list[Path]:
        """The checkpoints of that pattern, by their epochs."""
        found = [
            (int(match[1]), path)
            for path in self.path.iterdir()
            if (match := re.fullmatch(pattern, path.name))
        ]
        return [path for _, path in sorted(found)]
