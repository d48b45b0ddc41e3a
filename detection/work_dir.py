"""The work directory of a training with mmdet: a ``TrainingRun`` whose config is an mmdet
config."""

from __future__ import annotations

from mmcv import Config

from lightnas.documents import differences
from lightnas.errors import InputError
from lightnas.network.structure import format_structures
from lightnas.runs.output_dir import STRUCTURE
from lightnas.runs.training_run import CONFIG, TrainingRun

from .config import format_config, plain, structure_of

# What may differ between a run and its continuation: where the data lies, and what the result does
# not depend on.
MAY_DIFFER = {"ann_file", "img_prefix", "workers_per_gpu", "device", "work_dir"}


class WorkDir(TrainingRun):
    """One work directory, held by one run at a time."""

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
        if structure_of(there) != structure_of(cfg):
            raise InputError(
                f"resume=True: {self.path} holds a run of another structure, expected the one in its {STRUCTURE}"
            )
        self.refuse(differences(plain(there), plain(cfg), MAY_DIFFER))
