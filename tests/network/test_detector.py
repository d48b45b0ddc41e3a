"""Neck and head by arithmetic, and activations by the plain loop."""

import numpy as np
import pytest

from lightnas.errors import InputError
from lightnas.network.detector import Detector, flops_on_named, parse_detector
from lightnas.network.structure import Structure
from lightnas.runs import structures
from lightnas.search.problem import Budget, Problem
from lightnas.search.space_file import load_space

from .. import oracle
from ..conftest import published

SIZES = [(800, 1280), (192, 192), (33, 97), (799, 1279)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("width", [256, 192, 32])
def test_neck_and_head_equal_the_plain_loop(size, width):
    convs = list(oracle.detector_convs((640, 1112, 1848), width, *size))
    found = Detector(width).on((640, 1112, 1848), size)
    assert found.flops == sum(p * o * (i * k * k + own) for i, o, k, p, own in convs)
    assert found.activations == sum(p * o for _, o, _, p, _ in convs)
    assert found.layers == 0 and found.latency is None


def test_the_figures_at_800x1280():
    """GFLV2 of width 256: 107.95 G in the head's convolutions, 16.8 G in the FPN of maedet-m."""
    convs = list(oracle.detector_convs((640, 1112, 1848), 256))
    macs = [i * o * k * k * p for i, o, k, p, _ in convs]
    neck = sum(m for m, c in zip(macs, convs, strict=True) if c[2] == 1 and c[1] == 256)
    levels = 16000 + 4000 + 1000 + 260 + 70
    fpn = neck + 256 * 256 * 9 * levels
    assert round(fpn / 1e9, 1) == 16.8
    assert round((sum(macs) - fpn) / 1e9, 2) == 107.95
    (structure,) = structures("maedet-m")[:1]
    alone, whole = structure.cost(), structure.cost(detector=Detector())
    assert whole.flops - alone.flops == Detector().on(structure.widths[2:]).flops
    assert round(alone.flops / whole.flops, 1) == 0.4


@pytest.mark.parametrize("space", ["k1kxk1", "k1kx", "kxkx"])
@pytest.mark.parametrize("size", SIZES)
def test_population_equals_plain_loop(space, size):
    limits = Budget(flops=1e15, activations=1e15)
    problem = Problem(load_space(space), limits, size, detector=Detector(64))
    genomes = problem.searched.random(np.random.default_rng(2), 50)
    found = problem.evaluate(genomes).cost
    for n, structure in enumerate(problem.searched.structures(genomes)):
        document = structure.to_dicts()
        flops, _, layers = oracle.costs(document, *size)
        added = list(oracle.detector_convs(structure.widths[2:], 64, *size))
        assert found.activations[n] == oracle.activations(document, *size) + sum(
            p * o for _, o, _, p, _ in added
        )
        assert found.flops[n] == flops + sum(p * o * (i * k * k + own) for i, o, k, p, own in added)
        assert found.layers[n] == layers
        assert structure.cost(size, None, Detector(64), True) == tuple(
            None if column is None else column[n] for column in found
        )


def test_activations_are_counted_only_where_they_are_asked_for():
    structure = Structure.from_dicts(published("m"))
    assert structure.cost().activations is None
    assert structure.cost(activations=True).activations == oracle.activations(published("m"))
    assert structure.cost(detector=Detector()).activations is None


def test_resnets_mean_their_whole_detectors():
    for width in (128, 256):
        more = Detector(width).on((512, 1024, 2048)).flops
        for name in ("resnet50", "ResNet101 "):
            assert flops_on_named(name, Detector(width)) == more
            assert flops_on_named(name, None) == 0
    assert flops_on_named("83.6G", Detector()) == flops_on_named(83.6e9, Detector()) == 0


@pytest.mark.parametrize(
    ("text", "width"), [("gflv2", 256), ("GFLV2:192", 192), ("gflv2:32", 32), ("gflv2:4096", 4096)]
)
def test_detectors_by_name(text, width):
    found = parse_detector(text, "x")
    assert found == Detector(width) and parse_detector(str(found), "x") == found


def test_no_detector():
    assert parse_detector("none", "x") is None


@pytest.mark.parametrize(
    "text",
    ["", "gfl", "gflv2:", "gflv2:0", "gflv2:100", "gflv2:-32", "gflv2:8192", "gflv2:256:2", "gflv2:1e2",
     "none:32", "gflv2:٣٢", "gflv2:" + "9" * 5000, 256, None, True, ["gflv2"]],
)  # fmt: skip
def test_what_is_no_detector(text):
    with pytest.raises(InputError, match=r"--detector is .*expected none, gflv2 or gflv2:WIDTH"):
        parse_detector(text, "--detector")


@pytest.mark.parametrize("width", [0, 31, 100, 8192])
def test_widths_that_group_normalisation_cannot_have(width):
    with pytest.raises(InputError, match="expected a multiple of 32 from 32 to 4096"):
        Detector(width)
