import sys

import pytest

from ..conftest import collect_ignore_glob  # noqa: F401 (pytest reads it: without mmcv nothing here can run)

WRAPPERS = (
    "nms",
    "roi_align",
    "focal_loss",
    "deform_conv",
    "modulated_deform_conv",
    "multi_scale_deform_attn",
)


@pytest.fixture
def plain(monkeypatch):
    """mmcv.ops, on the operators in plain torch even where compiled ones are installed."""
    import mmcv.ops

    from lightnas.detection.ops import StandIn

    for (
        name
    ) in WRAPPERS:  # mmcv.ops.nms is the function; the module of that name is in sys.modules only
        monkeypatch.setattr(sys.modules[f"mmcv.ops.{name}"], "ext_module", StandIn())
    return mmcv.ops
