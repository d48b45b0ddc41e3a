"""Runtimes other than torch: the same network, the same numbers; tables that name them."""

import json

import numpy as np
import pytest

from lightnas.cli import tables as printing
from lightnas.errors import InputError
from lightnas.latency.fit import calibration, table_document
from lightnas.latency.runtimes import OPENVINO, RUNTIMES, TORCH, check_runtime, opened
from lightnas.latency.table import Op, chain_uses, use_seconds
from lightnas.latency.table_file import load_table
from lightnas.network.structure import Structure, format_structures

from .. import oracle
from ..conftest import TINY, refused, run
from .tables import PROFILE, SEARCH, SIZE, made_up

OTHERS = [name for name in RUNTIMES if name != TORCH]
OPS = [
    Op("conv", 3, 2, (9, 8)), Op("conv", 3, 1, (8, 8), 0), Op("conv", 1, 1, (8, 8)), Op("relu", 1, 1, (8, 8)),
    Op("silu", 1, 1, (8, 8)), Op("add", 1, 1, (8, 8)), Op("add_silu", 1, 1, (8, 8)), Op("pool", 1, 2, (9, 8)),
    Op("excite", 1, 1, (8, 8)),
]  # fmt: skip


@pytest.fixture(params=OTHERS)
def runtime(request):
    pytest.importorskip("onnx")
    pytest.importorskip(request.param)
    return request.param


@pytest.mark.parametrize("op", OPS, ids=str)
def test_an_operation_gives_what_torch_gives(measure, runtime, op):
    machine = measure.Machine.here("cpu", threads=1, runtime=runtime)
    torch = pytest.importorskip("torch")
    n = 2 if op.kind.startswith("add") else 1
    given = [machine.tensor(1, 8, *op.size) for _ in range(n)]
    net = torch.nn.Identity()
    if op.kind == "conv":
        groups = 8 if op.groups == 0 else 1
        net = torch.nn.Conv2d(8, 8, op.k, op.stride, op.k // 2, groups=groups).eval()
        run_it = net
    else:
        run_it = measure._RUN[op.kind](op)
    (found,) = machine.started(run_it, *given)(*given)
    with torch.no_grad():
        expected = run_it(*(x.clone() for x in given)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_a_network_gives_what_torch_gives(measure, runtime):
    torch = pytest.importorskip("torch")
    machine = measure.Machine.here("cpu", threads=1, runtime=runtime)
    net = measure.CnnNet(Structure.from_dicts(next(oracle.all_structures(TINY)))).fuse().eval()
    x = machine.tensor(1, 3, *SIZE)
    found = machine.started(net, x)(x)
    with torch.no_grad():
        for one, other in zip(found, net(x), strict=True):
            np.testing.assert_allclose(one, other.numpy(), rtol=1e-3, atol=1e-4)


def test_profile_then_search_then_latency(capsys, folder, steady, runtime):
    run(capsys, *PROFILE, "--runtime", runtime, "--output", "own.json")
    written = json.loads((folder / "own.json").read_text())
    assert written["runtime"] == runtime and written["versions"][runtime]
    assert {len(point) for op in written["ops"] for point in op["points"]} == {4}
    table = load_table(folder / "own.json")
    assert table.runtime == runtime and table.title.endswith(f", {runtime}")
    search = [*SEARCH[:-1], "--latency-table", "own.json", "--budget-latency", "1s"]
    assert f"latency ({runtime})" in run(capsys, *search, "--output", "r")
    found = json.loads(
        run(capsys, "latency", "--latency-table", "own.json", "--random", "3", "--json")
    )
    assert found["runtime"] == runtime and len(found["structures"]) == 3
    said = refused(capsys, "latency", "r", "--latency-table", "own.json", "--runtime", "torch")
    assert said == f"lightnas: --runtime is torch, expected {runtime}, what the latency table has\n"
    assert "runtime is" in refused(capsys, *PROFILE, "--output", "own.json", "--resume")


def test_an_old_table_is_one_of_torch(capsys, folder, quick, space):
    """No runtime, points of three numbers; a config that holds it keeps its bytes."""
    document = made_up(space)
    document["ops"][0]["points"] = [[8, 16, 1e-5]]
    table = load_table(document)
    assert table.runtime == TORCH and not {"runtime", "others"} & set(table.document)
    assert "torch" not in table.title
    structure = Structure.from_dicts(next(oracle.all_structures(TINY)))
    (folder / "s.txt").write_text(format_structures([structure]))
    said = refused(
        capsys, "latency", "s.txt", "--latency-table", "table.json", "--runtime", "onnxruntime"
    )
    assert "--runtime is onnxruntime, expected torch, what the latency table has" in said
    search = [*SEARCH[:-1], "--latency-table", "table.json", "--budget-latency", "1s"]
    said = run(capsys, *search, "--output", "r")
    assert "latency" in said and "torch" not in said


@pytest.mark.parametrize("factors", [(0.5, 0.0, 2e-6), (0.9, 0.25, 0.0)])
def test_a_runtime_that_fuses_has_a_scale_for_what_is_no_convolution(space, every, factors):
    """Networks made of known factors give them back, and the table then gives their seconds."""
    ops = made_up(space)["ops"]
    fits = load_table(made_up(space)).fits
    structures = [Structure.from_dicts(blocks) for blocks in every[:: len(every) // 16]]
    scale, others, per_conv = factors

    def seconds(structure):
        return sum(
            use.times
            * (
                (scale if use.kind == "conv" else others) * use_seconds(fits, use)
                + per_conv * (use.kind == "conv")
            )
            for use in chain_uses(structure.blocks, SIZE)
        )

    networks = [(structure.blocks, float(seconds(structure))) for structure in structures]
    found = calibration(ops, SIZE, networks, fuses=True)
    assert [found[name] for name in ("scale", "others", "per_conv")] == pytest.approx(
        factors, rel=1e-6, abs=1e-12
    )
    table = load_table(made_up(space) | found)
    for structure, (_, expected) in zip(structures, networks, strict=True):
        assert table.chain(structure.blocks) == pytest.approx(expected)


def test_tables_of_torch_say_what_they_said():
    assert set(table_document({Op("relu", 1, 1, (8, 8)): [(8, 0, 1e-5)]}, SIZE)) == {
        "complete",
        "ops",
    }


def test_what_is_no_runtime_or_is_not_there_is_refused(capsys, folder, measure):
    with pytest.raises(InputError, match="runtime is 'tensorrt', expected one of onnxruntime, "):
        check_runtime("tensorrt")
    pytest.importorskip("onnxruntime")
    with pytest.raises(InputError, match="cannot open it"):
        opened(b"no network", "onnxruntime")
    for device in ("gpu", "CUDA", 0, ["cpu"]):
        with pytest.raises(InputError, match=r"^device is .*, expected cpu or cuda$"):
            opened(b"no network", "onnxruntime", device=device)
        with pytest.raises(InputError, match=r"^device is .*, expected cpu or cuda$"):
            measure.Machine.here(device)
    try:
        check_runtime(OPENVINO)
    except InputError as error:
        assert str(error).endswith("pip install '.[openvino]' in a checkout of lightnas")
        said = refused(capsys, *PROFILE, "--runtime", OPENVINO, "--output", "new.json")
        assert said.startswith("lightnas: --runtime openvino: openvino is not installed")


@pytest.mark.parametrize("precision", ["bf16"])
def test_a_precision_that_a_runtime_cannot(capsys, folder, measure, runtime, precision):
    arguments = ("maedet-s", "--runtime", runtime, "--precision", precision, "--device", "cpu")
    assert f"--precision is {precision}, expected" in refused(capsys, "latency", *arguments)


def test_progress_in_a_log(capsys, monkeypatch):
    """A line at a time, not one a measurement."""
    now = iter([0.0, 4.0, 11.0, 11.0, 12.0, 25.0, 25.0])
    monkeypatch.setattr(printing, "monotonic", lambda: next(now))
    with printing.measuring_lines() as show:
        for done in range(4):
            show(done, 1234)
    assert capsys.readouterr().err == "measured 1 of 1,234\nmeasured 3 of 1,234\n"
