"""The detection stage: training, testing and detecting with mmdet, and what registers our parts
there.

In any mmdet 2.x project two lines of a config are enough:

    custom_imports = dict(imports=['lightnas.detection'])
    model = dict(backbone=dict(type='MadNas', structure_txt='maedet_m.txt'), ...)

Importing it registers ``MadNas``, ``GFocalHead``, the pipelines' steps, the hooks and
the runners. A training from
Python:

    from lightnas.data.layouts import find_data
    from lightnas.detection import Start, TrainOptions, train

    data = find_data(Path("digits")).splits
    train(TrainOptions(structure=Path("maedet_m.txt")), data, Start(Path("outputs/m")))

Where things are. Whatever framework trains:

    options      what a training is asked for
    checkpoint   checkpoints read without running code, loaded without silence
    progress     how far a training was, checked before it goes on
    recipe       what a training of a small set is given
    pictures     detections as boxes on pictures
    distributed, cpu, output     processes, memory of a CPU, where prints go

Of mmdet:

    config       its configs, read, put together and written down
    theirs       the configs that LightNAS published, in our words
    embedded, allowed            configs that came with a checkpoint or a work directory
    building     what its builder says, in one line
    madnas, gfocal_head          backbone and head
    loading, mixing              pictures in its pipelines, and pictures made of pictures
    runners, hooks               of a training
    choosing, settings           which config a training takes, and what options change in it
    training_log                 what a training says of itself
    small_sets   the recipe for small sets, in a config
    told         what is said of it, as it is trained
    rounds, averaging, overfitting    its data set and its hooks
    muon         its optimizer
    samples      pictures that are looked at again and again
    finding      a detector behind its test pipeline
    training, testing, detecting, onnx    ``train``, ``measure``, ``detect``, ``export_detector``
    onnx_raw, export_data    ``export_raw``; which pictures an export looks at
    initial, heads               beginning from the weights of any structure
    prepared, decoding, compared           what of an exported detector is in the graph, and around it
    latency, flops    seconds of a checkpoint's detector; its FLOPs
    classifier   which weights belong to the classes
    work_dir     a ``runs.training_run`` whose config is one of mmdet's
    boxes, measured    what mmdet's detectors return; AP in mmdet's data sets
    compat, ops  where mmcv and mmdet do not fit today's torch; operators without a compiler
"""

if __name__ != "lightnas.detection":  # else everything here would be registered a second time
    raise ImportError(
        "the detection stage is lightnas.detection: import that, also in an mmdet config's custom_imports"
    )

from . import compat

compat.apply()

# mmcv cannot be imported before compat.apply().
from .averaging import AverageWeights  # noqa: E402
from .detecting import detect, load_finder  # noqa: E402
from .gfocal_head import GFocalHead  # noqa: E402
from .hooks import DrawDetections, MeasureBestAgain, ReseedEpochs  # noqa: E402
from .loading import CocoPictures, LoadPicture, ResizePicture  # noqa: E402
from .madnas import MadNas, load_structure  # noqa: E402
from .measured import MeasuredCoco  # noqa: E402
from .mixing import MosaicCrop, SometimesMixUp  # noqa: E402
from .muon import MuonAdamW  # noqa: E402
from .onnx import export_detector  # noqa: E402
from .onnx_raw import export_raw  # noqa: E402
from .options import Start, TrainOptions  # noqa: E402
from .overfitting import MeasureTrain, StopEarly  # noqa: E402
from .rounds import BeginRound, Rounds  # noqa: E402
from .runners import WholeEpochRunner, WholeIterRunner  # noqa: E402
from .testing import measure  # noqa: E402
from .training import train  # noqa: E402

__all__ = [
    "AverageWeights",
    "BeginRound",
    "CocoPictures",
    "DrawDetections",
    "GFocalHead",
    "LoadPicture",
    "MadNas",
    "MeasureBestAgain",
    "MeasureTrain",
    "MeasuredCoco",
    "MosaicCrop",
    "MuonAdamW",
    "ReseedEpochs",
    "ResizePicture",
    "Rounds",
    "SometimesMixUp",
    "Start",
    "StopEarly",
    "TrainOptions",
    "WholeEpochRunner",
    "WholeIterRunner",
    "detect",
    "export_detector",
    "export_raw",
    "load_finder",
    "load_structure",
    "measure",
    "train",
]
