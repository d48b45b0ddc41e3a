"""The work directory of a training with mmdet: a ``TrainingRun`` whose config is an mmdet
config."""

from __future__ import annotations

from pathlib import Path

from mmcv import Config

from lightnas.documents import differences
from lightnas.errors import InputError
from lightnas.network.structure import format_structures
from lightnas.outputs import read_marker
from lightnas.runs.output_dir import STRUCTURE
from lightnas.runs.training_run import ANNOTATIONS, CONFIG, TrainingRun

from .config import datasets_of, format_config, plain, read_config, structure_of

# What may differ between a run and its continuation: where the data lies, and what the result does
# not depend on.
MAY_DIFFER = {"ann_file", "img_prefix", "workers_per_gpu", "device", "work_dir"}


def read_run_config(path: Path) -> Config:
    """The config of the run in a work directory, wherever that lies now; errors as for
    ``read_config``."""
    cfg = read_config(path / CONFIG)
    use_place(cfg, path)
    return cfg


def use_place(cfg: Config, path: Path) -> None:
    """Point what a config names in its work directory to where that directory lies now.

    Annotation files without what --skip-bad-images left out are files of the run; the data lies
    where it lay.

    Raises:
        InputError: the marker of the directory is damaged.
    """
    marker = read_marker(path)
    began = Path(str(cfg.get("work_dir", path))).name
    for part in datasets_of(cfg).values():
        file = Path(str(part.get("ann_file")))
        own = f"{ANNOTATIONS}/{file.name}"
        there = file.parts[-3:-1] == (began, ANNOTATIONS)
        if there and marker and own in marker["files"] and (path / own).is_file():
            part.ann_file = str((path / own).resolve())


class WorkDir(TrainingRun):
    """One work directory, held by one run at a time."""

    def write_config(self, cfg: Config) -> None:
        """Write the config, and the structure beside it."""
        structure = structure_of(cfg)
        if structure is not None:
            self.write(STRUCTURE, format_structures([structure]))
        self.write(CONFIG, format_config(cfg))

    def check_same(self, cfg: Config) -> None:
        """Refuse to continue a run with a config that is not its own.

        Raises:
            InputError: the first things that differ.
        """
        there = read_config(self.path / CONFIG)
        if structure_of(there) != structure_of(cfg):
            raise InputError(
                f"resume=True: {self.path} holds a run of another structure, expected the one in its {STRUCTURE}"
            )
        self.refuse(differences(plain(there), plain(cfg), MAY_DIFFER))
