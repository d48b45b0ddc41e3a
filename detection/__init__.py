"""The mmdet plug-in: importing it registers ``MadNas``, ``GFocalHead``, the hooks and the whole-file runners.

In any mmdet 2.x project two lines of a config are enough:

    custom_imports = dict(imports=['lightnas.detection'])
    model = dict(backbone=dict(type='MadNas', structure_txt='maedet_m.txt'), ...)
"""

if (
    __name__ != "lightnas.detection"
):  # as `detection`, everything here would be registered a second time
    raise ImportError(
        "the detection stage is lightnas.detection: import that, also in an mmdet config's custom_imports"
    )

from . import compat

compat.apply()

from .gfocal_head import GFocalHead  # noqa: E402 (mmcv cannot be imported before compat.apply())
from .madnas import MadNas, load_structure  # noqa: E402
from .pictures import DrawDetections  # noqa: E402
from .runners import ReseedEpochs, WholeEpochRunner, WholeIterRunner  # noqa: E402

__all__ = [
    "DrawDetections",
    "GFocalHead",
    "MadNas",
    "ReseedEpochs",
    "WholeEpochRunner",
    "WholeIterRunner",
    "load_structure",
]
