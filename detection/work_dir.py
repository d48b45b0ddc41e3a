"""The work directory of a training with mmdet: a ``TrainingRun`` whose config is an mmdet
config."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import mmcv
import mmdet
import torch
from mmcv import Config

from lightnas.data.fingerprint import Fingerprint, changes, fingerprint
from lightnas.data.split import CocoSplit
from lightnas.documents import check, differences
from lightnas.errors import InputError, advised, shown
from lightnas.json_file import json_text, read_json
from lightnas.network.structure import format_structures
from lightnas.runs.output_dir import STRUCTURE
from lightnas.runs.training_run import CONFIG, FINGERPRINT, RESULT, FingerprintFile, TrainingRun

from .config import format_config, plain, structure_of
from .embedded import structure_written

# What may differ between a run and its continuation: where the data lies, and what the result does
# not depend on.
MAY_DIFFER = {"ann_file", "img_prefix", "workers_per_gpu", "device", "work_dir"}

# Openings of the keys that say how long a run is.
SCHEDULE = ("runner.", "lr_config", "total_epochs")


class WorkDir(TrainingRun):
    """One work directory, held by one run at a time.

    Attributes:
        device: what it trains on, ``cpu`` or ``cuda``.
    """

    device = "cpu"

    def taking_part(self) -> dict[str, str]:
        """Versions, those of torch and mmdet among them."""
        return super().taking_part() | {
            module.__name__: str(module.__version__) for module in (torch, mmcv, mmdet)
        }

    def accelerator(self) -> str:
        """The name of the GPU."""
        return torch.cuda.get_device_name() if self.device == "cuda" else ""

    def write_config(self, cfg: Config) -> None:
        """Write the config, and the structure beside it."""
        structure = structure_of(cfg)
        if structure is not None:
            self.write(STRUCTURE, format_structures([structure]))
        self.write(CONFIG, format_config(cfg))

    def check_same(self, cfg: Config, there: Config) -> None:
        """Refuse to continue a run with a config that is not its own, ``there``.

        Raises:
            InputError: the first things that differ.
        """
        same = there.model.get("backbone") == cfg.model.get("backbone")
        source = str(self.path / CONFIG)
        if not same and structure_written(there, source) != structure_of(cfg):
            raise InputError(
                f"resume=True: {self.path} holds a run of another structure, expected the one in its {STRUCTURE}"
            )
        found = differences(plain(there), plain(cfg), MAY_DIFFER)
        if any(words.startswith(SCHEDULE) for words in found):
            raise InputError(
                f"resume=True: {self.path} holds a run of another schedule: {'; '.join(found[:3])}; "
                f"expected its own; {_anew(self.last)}"
            )
        self.refuse(found)

    def check_data(self, splits: Mapping[str, CocoSplit], given: bool, new_data: bool) -> bool:
        """Whether a run would go on, or a finished one be shown, with other data than it had.

        Args:
            splits: checked.
            given: whether they were named anew, and do not come from the run's own config.
            new_data: they may be others.

        Raises:
            InputError: they are others, and may not be or have other classes; or the run is
                finished and from before runs wrote down what their data were.
        """
        now = {name: fingerprint(split) for name, split in splits.items()}
        noted = self.path / FINGERPRINT
        if not noted.is_file():
            if given and not new_data and self.result is not None:
                raise InputError(
                    f"resume=True: {self.path} is finished, and from before runs wrote down what "
                    "their data were; expected no data, which shows its result, or new_data=True, "
                    "which measures it on these"
                )
            return given and new_data
        then = read_fingerprints(noted)
        found = changes(then, now)
        other = [
            name for name in now if name in then and now[name]["classes"] != then[name]["classes"]
        ]
        if other:
            raise InputError(
                f"resume=True: {self.path} holds a run on other data: {'; '.join(found)}; expected "
                f"its own classes; {_anew(self.best, 'allow_mismatch=True and ')}"
            )
        if found and not new_data:
            raise InputError(
                f"resume=True: {self.path} holds a run on other data: {'; '.join(found)}; expected "
                "the same, or new_data=True, which goes on with these and measures on them"
            )
        return bool(found)

    def note_data(self, splits: Mapping[str, CocoSplit]) -> None:
        """Write down what the data are."""
        content = {name: fingerprint(split) for name, split in splits.items()}
        text = json_text(content, indent=1) + "\n"
        path = self.path / FINGERPRINT
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            self.write(FINGERPRINT, text)

    def noted_data(self) -> str:
        """A name of the data that were written down last, which checkpoints carry."""
        return hashlib.sha256((self.path / FINGERPRINT).read_bytes()).hexdigest()[:16]

    def forget_result(self) -> None:
        """Have a finished run measured again."""
        (self.path / RESULT).unlink(missing_ok=True)


def read_fingerprints(path: Path) -> dict[str, Fingerprint]:
    """What the data of a run were.

    Raises:
        InputError: the file is damaged.
    """
    with advised("overwrite=True starts anew"):
        content = read_json(path, "what the data of a run were")
        if not isinstance(content, dict):
            raise InputError(f"{path}: is damaged (it holds {shown(content)}), expected splits")
        for name, split in content.items():
            check(FingerprintFile, split, f"{path}: {name}")
    return dict(content)


def _anew(checkpoint: Path | None, more: str = "") -> str:
    """How to begin a new run from the weights of one that cannot go on as asked."""
    if checkpoint is None:
        return "overwrite=True begins anew"
    return f"load_from='{checkpoint}' with {more}a work_dir of its own begins a new run from its weights"
