"""Latency: the table's sum against a plain loop, the search under it against full enumeration, and the commands."""

import json

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lightnas.cli.main import main
from lightnas.errors import InputError, WorkError
from lightnas.latency.table import calibration, chain_uses, fit_seconds, load_table
from lightnas.network.structure import Structure, format_structures
from lightnas.search.engine import Limits, search
from lightnas.search.problem import Budget, Problem
from lightnas.search.space_file import load_space, parse_space
from lightnas.units import format_seconds, parse_seconds

from .. import oracle
from ..conftest import TINY, refused, run

SIZE = (64, 64)


def made_up(space, size=SIZE, seed=0):
    """The document of a finished table for all that a space can ask for, with random coefficients."""
    rng = np.random.default_rng(seed)
    ops = {use.op for chain in space.every_kernel() for use in chain_uses(chain, size)}
    return {
        "device": "cpu", "name": "made up", "precision": "fp32", "batch": 1, "threads": 1, "complete": True,
        "input_size": f"{size[0]}x{size[1]}", "space": TINY, "most_flops": 1e9, "versions": {},
        "ops": [
            {**op._asdict(), "size": "{}x{}".format(*op.size), "off": 0.0, "points": [],
             "fit": [float(x) for x in rng.uniform(0, 1, 4) * (1e-6, 1e-8, 1e-8, 1e-9)]}
            for op in sorted(ops)
        ],
    }  # fmt: skip


@pytest.fixture(scope="module")
def space():
    return parse_space(TINY, "tiny")


@pytest.fixture(scope="module")
def table(space):
    return load_table(made_up(space))


def plain_seconds(structure, table):
    """Convolution by convolution from the block dicts; ReLU, sum and pool as the published block has them."""
    fits = {
        (op["kind"], op["k"], op["stride"], op["size"]): op["fit"] for op in table.document["ops"]
    }
    total, side = 0.0, SIZE[0]

    def add(kind, side, c_in, c_out=0, k=1, stride=1):
        nonlocal total
        a, b, c, d = fits[kind, k, stride, f"{side}x{side}"]
        total += a + b * c_in + c * c_out + d * c_in * c_out

    for block in structure:
        c_in, out, k, s = block["in"], block["out"], block["k"], block["s"]
        if "btn" not in block:
            add("conv", side, c_in, out, k, s)
            side //= s
            add("relu", side, out)
            continue
        btn = block["btn"]
        for layer in range(block["L"]):
            after = side // (s if layer == 0 else 1)
            add("conv", side, c_in, btn)
            add("relu", side, btn)
            add("conv", side, btn, btn, k, side // after)
            add("relu", after, btn)
            add("conv", after, btn, out)
            if layer == 0 and s == 2:
                add("pool", side, c_in, stride=2)
            if layer == 0:
                add("conv", after, c_in, out)
            add("add", after, out)
            side, c_in = after, out
    return total


@pytest.fixture(scope="module")
def every():
    return list(oracle.all_structures(TINY))


@pytest.fixture(scope="module")
def listed(every, table):
    """Of every structure: seconds, FLOPs, score."""
    seconds = np.array([plain_seconds(structure, table) for structure in every])
    return (
        seconds,
        np.array([oracle.costs(s, *SIZE)[0] for s in every]),
        np.array([oracle.score(s) for s in every]),
    )


def test_sum_of_the_table(space, table, every):
    some = every[:: len(every) // 300]
    seconds = [plain_seconds(structure, table) for structure in some]
    assert [table.chain(Structure.from_dicts(s)) for s in some] == pytest.approx(seconds, rel=1e-12)
    problem = Problem(space, Budget(latency=1.0), SIZE, table=table)
    found = problem.evaluate(space.encode([Structure.from_dicts(s) for s in some]))
    assert found.cost.latency == pytest.approx(np.array(seconds), rel=1e-12)


@pytest.mark.parametrize("quantile", [0.02, 0.1, 0.4])
@pytest.mark.parametrize("flops", [None, 3e6])
def test_search_finds_and_proves_the_optimum(space, table, listed, quantile, flops):
    seconds, listed_flops, scores = listed
    budget = float(np.quantile(seconds, quantile))
    best = scores[(seconds <= budget) & (listed_flops <= (flops or np.inf))].max()
    result = search(
        space, flops, latency=budget, table=table, input_size=SIZE, limits=Limits(evaluations=5_000)
    )
    assert result.proven_optimal and result.score == pytest.approx(best, rel=1e-12)
    assert (
        result.latency == pytest.approx(plain_seconds(result.structure, table), rel=1e-12)
        and result.latency <= budget
    )


def test_bound_holds_on_a_real_space():
    """Also where the proof is cut short: no random structure within the budget beats the bound."""
    space = load_space("k1kxk1", 512)
    table = load_table(made_up(space, (320, 320)))
    result = search(
        space,
        latency=2e-3,
        table=table,
        input_size=(320, 320),
        limits=Limits(20_000, proof_work=1000),
    )
    problem = Problem(space, Budget(latency=2e-3), (320, 320), table=table)
    found = problem.evaluate(space.random(np.random.default_rng(1), 20_000))
    assert (
        found.score[problem.feasible(found)].max() <= result.upper_bound
        and result.score <= result.upper_bound
    )
    complete = search(space, latency=2e-3, table=table, input_size=(320, 320))
    assert result.score <= complete.score <= result.upper_bound
    assert complete.gap <= 5e-4


positive = st.floats(1e-3, 1e3)


@given(st.tuples(positive, positive, positive, positive))
def test_fit_recovers_coefficients(true):
    a, b, c, d = (x * unit for x, unit in zip(true, (1e-5, 1e-7, 1e-7, 1e-9), strict=True))
    points = [
        (i, o, a + b * i + c * o + d * i * o) for i in (8, 32, 128, 512) for o in (8, 64, 512)
    ]
    fit, off = fit_seconds(points)
    assert min(fit) >= 0 and off < 1e-9
    for i, o, seconds in points:
        assert fit[0] + fit[1] * i + fit[2] * o + fit[3] * i * o == pytest.approx(seconds, rel=1e-6)


def test_calibration_recovers_what_networks_take_beyond_their_operations(space, table, every):
    document = made_up(space)
    networks = []
    for structure in every[:: len(every) // 12]:
        convs = sum(3 * block["L"] + 1 if "btn" in block else 1 for block in structure)
        networks.append(
            (Structure.from_dicts(structure), 1.1 * plain_seconds(structure, table) + 2e-6 * convs)
        )
    found = calibration(document["ops"], SIZE, networks)
    assert found == pytest.approx({"scale": 1.1, "per_conv": 2e-6}, rel=1e-9)
    calibrated = load_table(document | found)
    for structure, seconds in networks:
        assert calibrated.chain(structure) == pytest.approx(seconds, rel=1e-9)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30ms", 0.03),
        ("0.03s", 0.03),
        ("500us", 5e-4),
        ("5e-2 s", 0.05),
        (0.25, 0.25),
        ("1.5 ms", 1.5e-3),
    ],
)
def test_seconds(text, seconds):
    assert parse_seconds(text, "x") == seconds


@pytest.mark.parametrize(
    "text", ["30", "-3ms", "0ms", "ms", "3 minutes", "nan s", True, None, "1e999s"]
)
def test_bad_seconds(text):
    with pytest.raises(InputError, match="expected a time with its unit"):
        parse_seconds(text, "--budget-latency")


def test_seconds_are_shown_with_their_unit():
    assert [format_seconds(x) for x in (2.5, 0.02998, 5e-5)] == ["2.5 s", "29.98 ms", "50 us"]


# --- the command line -------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch, space):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    (tmp_path / "table.json").write_text(json.dumps(made_up(space)))
    return tmp_path


SEARCH = ("search", "--space", "tiny.yaml", "--evaluations", "3000", "--json")


def test_search_under_a_latency(capsys, folder):
    under = (*SEARCH, "--latency-table", "table.json", "--budget-latency", "150us")
    result = json.loads(run(capsys, *under, "--output", "a"))
    assert 0 < result["latency"] <= 150e-6
    config = yaml.safe_load((folder / "a" / "config.yaml").read_text())
    assert (
        config["input_size"] == "64x64" and config["budget"]["latency"] == 150e-6
    )  # the size is the table's
    (folder / "table.json").unlink()
    again = json.loads(
        run(capsys, "search", "--config", "a/config.yaml", "--output", "b", "--json")
    )  # it holds the table
    assert again["structure"] == result["structure"]
    assert (folder / "a" / "config.yaml").read_bytes() == (
        folder / "b" / "config.yaml"
    ).read_bytes()
    assert "latency" in run(
        capsys, "search", "--config", "a/config.yaml", "--output", "b", "--resume"
    )


def test_front_over_latency(capsys, folder):
    row = (
        "--latency-table",
        "table.json",
        "--budget-latency",
        "100us:200us:3",
        "--axis",
        "latency",
    )
    arguments = ("pareto", "--space", "tiny.yaml", "--evaluations", "2000", "--workers", "1", *row)
    content = json.loads(run(capsys, *arguments, "--json"))
    assert [point["budget"] for point in content["points"]] == pytest.approx([1e-4, 1.5e-4, 2e-4])
    assert all(point["latency"] <= point["budget"] for point in content["points"])
    assert "100 us" in run(capsys, "pareto", "--resume")
    assert "latency" in (folder / "outputs/front/front.csv").read_text().splitlines()[0]


@pytest.mark.parametrize(
    ("change", "arguments", "said"),
    [
        ({}, ("--budget-latency", "30"), "expected a time with its unit"),
        ({}, ("--budget-latency", "1us"), "expected at least"),
        ({}, ("--budget-latency", "1ms", "--input-size", "96x96"), "measured at 64x64"),
        ({"complete": False}, ("--budget-latency", "1ms"), "is not finished"),
        ({"batch": 0}, ("--budget-latency", "1ms"), "batch is 0"),
        ({"ops": []}, ("--budget-latency", "1ms"), "has no conv 3x3 stride 2 at 64x64"),
        ({"speed": 1}, ("--budget-latency", "1ms"), "unknown key 'speed'"),
    ],
)
def test_bad_tables(capsys, folder, change, arguments, said):
    document = json.loads((folder / "table.json").read_text()) | change
    (folder / "table.json").write_text(json.dumps(document))
    assert said in refused(capsys, *SEARCH, "--latency-table", "table.json", *arguments)
    assert not (folder / "outputs").exists()


leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
level = leaf | st.lists(leaf, max_size=3) | st.dictionaries(st.text(max_size=5), leaf, max_size=3)
junk = level | st.lists(level, max_size=3) | st.dictionaries(st.text(max_size=5), level, max_size=3)


@given(st.data())
def test_damaged_tables_are_refused_in_one_line(space, data):
    """Any key of the table, or of one of its operations, replaced by anything."""
    document = made_up(space)
    target = data.draw(st.sampled_from([document, document["ops"][0]]))
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(junk)
    try:
        load_table(document).require(space.every_kernel()[0])
    except InputError as error:
        assert "\n" not in str(error)


def test_no_table(capsys, folder):
    assert "without a latency table" in refused(capsys, *SEARCH, "--budget-latency", "1ms")
    assert "cannot be read" in refused(
        capsys, *SEARCH, "--budget-latency", "1ms", "--latency-table", "none.json"
    )
    (folder / "table.json").write_text("{")
    assert "is not JSON" in refused(
        capsys, *SEARCH, "--budget-latency", "1ms", "--latency-table", "table.json"
    )


@pytest.fixture(scope="module")
def latency():
    return pytest.importorskip("lightnas.latency", exc_type=ImportError)


@pytest.fixture
def quick(latency, monkeypatch):
    """One repeat a measurement, from the cache."""
    monkeypatch.setattr(latency, "LEAST", 1)
    monkeypatch.setattr(latency, "SECONDS", 0.0)
    monkeypatch.setattr(latency, "COLD_BYTES", 2**16)
    return latency


def made_up_seconds(kind, c_in, c_out):
    """Of an operation: what depends on the machine is left out."""
    return (
        {"conv": 1e-5, "relu": 2e-6, "add": 3e-6, "pool": 4e-6}[kind]
        + 1e-8 * c_in
        + 1e-10 * c_in * c_out
    )


def network_of(operations, structure, beyond=2e-6):
    """Seconds of a network: 1.1 times the sum of its operations, and ``beyond`` for every convolution."""
    uses = list(chain_uses(structure, SIZE))
    convs = sum(use.times for use in uses if use.kind == "conv")
    return (
        1.1 * sum(use.times * operations(use.kind, use.c_in, use.c_out) for use in uses)
        + beyond * convs
    )


@pytest.fixture
def steady(quick, monkeypatch):
    """Everything is run and timed, but what the clock of a busy machine says of it is replaced by made-up seconds."""
    operation, network = quick.Machine.op_seconds, quick.Machine.network_seconds

    def op_seconds(self, op, c_in, c_out):
        assert operation(self, op, c_in, c_out) > 0
        return made_up_seconds(op.kind, c_in, c_out)

    def network_seconds(self, structure, input_size):
        assert network(self, structure, input_size) > 0
        return network_of(made_up_seconds, structure)

    monkeypatch.setattr(quick.Machine, "op_seconds", op_seconds)
    monkeypatch.setattr(quick.Machine, "network_seconds", network_seconds)
    return quick


PROFILE = (
    "profile",
    "--device",
    "cpu",
    "--space",
    "tiny.yaml",
    "--input-size",
    "64x64",
    "--most-flops",
    "20M",
)


def test_profile_then_search_then_measure(capsys, folder, steady):
    assert "own.json" in run(capsys, *PROFILE, "--output", "own.json")
    table = load_table(folder / "own.json")
    assert table.document["device"] == "cpu" and table.document["versions"]["torch"]
    assert table.document["scale"] == pytest.approx(1.1) and table.document[
        "per_conv"
    ] == pytest.approx(2e-6)
    assert all(
        len(op["points"]) >= 1 for op in json.loads((folder / "own.json").read_text())["ops"]
    )
    slowest = table.chain(Structure.from_dicts(list(oracle.all_structures(TINY))[-1]))
    result = run(
        capsys,
        *SEARCH,
        "--latency-table",
        "own.json",
        "--budget-latency",
        f"{slowest}s",
        "--output",
        "r",
    )
    assert json.loads(result)["latency"] <= slowest
    measured = json.loads(
        run(
            capsys,
            "latency",
            "r/structure.txt",
            "--latency-table",
            "own.json",
            "--random",
            "3",
            "--json",
        )
    )
    assert len(measured["structures"]) == 5 + 3 and -1 <= measured["rank_correlation"] <= 1
    assert all(
        row["seconds"] > 0 and row["off"] == row["table"] / row["seconds"] - 1
        for row in measured["structures"]
    )
    assert "rank correlation" in run(
        capsys, "latency", "r/structure.txt", "--latency-table", "own.json"
    )
    assert "measured" in run(
        capsys, "latency", "r/structure.txt", "--device", "cpu", "--input-size", "64x64"
    )


def test_profile_goes_on_where_it_was_stopped(capsys, folder, steady, monkeypatch):
    measure, count = steady.Machine.op_seconds, 0

    def stopped(self, op, c_in, c_out):
        nonlocal count
        count += 1
        if count == 40:
            raise KeyboardInterrupt
        return measure(self, op, c_in, c_out)

    monkeypatch.setattr(steady.Machine, "op_seconds", stopped)
    assert main([*PROFILE, "--output", "own.json"]) == 130
    capsys.readouterr()
    before = json.loads((folder / "own.json").read_text())
    assert not before["complete"] and sum(len(op["points"]) for op in before["ops"]) == 39
    assert "is not finished" in refused(
        capsys, *SEARCH, "--latency-table", "own.json", "--budget-latency", "1s"
    )
    assert "expected a new file" in refused(capsys, *PROFILE, "--output", "own.json")
    assert "batch is 1 there and 2 here" in refused(
        capsys, *PROFILE, "--output", "own.json", "--resume", "--batch", "2"
    )
    run(capsys, *PROFILE, "--output", "own.json", "--resume")
    after = json.loads((folder / "own.json").read_text())
    assert (
        after["complete"] and after["ops"][0]["points"] == before["ops"][0]["points"]
    )  # not measured again
    total = sum(len(op["points"]) for op in after["ops"])
    assert count == total + 1
    whole = (folder / "own.json").read_bytes()
    assert "is complete" in run(capsys, *PROFILE, "--output", "own.json", "--resume")
    assert count == total + 1 and (folder / "own.json").read_bytes() == whole


@pytest.mark.parametrize("good", [1, 2, 3, None])
def test_a_calibration_that_degenerates_is_repeated_then_refused(
    capsys, folder, steady, monkeypatch, good
):
    """Networks whose seconds go with the number of their convolutions alone, until the attempt that is good."""
    measured = 0

    def network_seconds(self, structure, input_size):
        nonlocal measured
        measured += 1
        if good is not None and measured > (good - 1) * steady.NETWORKS:
            return network_of(made_up_seconds, structure)
        return network_of(lambda *_: 0.0, structure)

    monkeypatch.setattr(steady.Machine, "network_seconds", network_seconds)
    monkeypatch.setattr(
        steady.Machine,
        "op_seconds",
        lambda self, op, *channels: made_up_seconds(op.kind, *channels),
    )
    if good is not None:
        run(capsys, *PROFILE, "--output", "own.json")
        assert measured == good * steady.NETWORKS
        assert load_table(folder / "own.json").document["scale"] == pytest.approx(1.1)
        return
    assert "too busy" in refused(capsys, *PROFILE, "--output", "own.json", status=1)
    assert measured == steady.ATTEMPTS * steady.NETWORKS
    left = json.loads((folder / "own.json").read_text())
    assert not left["complete"] and "scale" not in left
    assert "is not finished" in refused(
        capsys, *SEARCH, "--latency-table", "own.json", "--budget-latency", "1s"
    )
    # Quiet again: what was measured of the operations holds.
    good, measured = 1, 0
    monkeypatch.setattr(steady.Machine, "op_seconds", None)
    run(capsys, *PROFILE, "--output", "own.json", "--resume")
    assert load_table(folder / "own.json").document["scale"] == pytest.approx(1.1)


noisy = st.floats(1e-9, 1e3)


@given(st.data())
def test_whatever_was_measured_a_table_that_is_written_can_be_read(latency, space, every, data):
    """Seconds that have nothing to do with the work: a table that the reader takes, or one line."""
    head = {key: value for key, value in made_up(space).items() if key not in ("ops", "complete")}
    ops = {
        op: None
        for chain in space.every_kernel()
        for op in (use.op for use in chain_uses(chain, SIZE))
    }
    channels = [(8, 8), (8, 32), (32, 32)]
    measured = {op: [(*at, data.draw(noisy)) for at in channels] for op in ops}
    networks = [(Structure.from_dicts(s), data.draw(noisy)) for s in every[:: len(every) // 4]]
    load = json.loads(json.dumps(head | latency.table_document(measured, SIZE)))
    with pytest.raises(InputError, match="is not finished"):
        load_table(load)
    try:
        document = json.loads(json.dumps(head | latency.table_document(measured, SIZE, networks)))
    except WorkError as error:
        assert "\n" not in str(error)
    else:
        assert load_table(document).chain(networks[0][0]) > 0


def test_median_of_cold_repeats(latency, monkeypatch):
    """The first run does not count; enough repeats, each with the next arguments, and never a time of 0."""
    ticks, seen = iter([0.0, 0, 1, 1, 4, 4, 6, 6, 16, 16, 19]), []
    monkeypatch.setattr(latency.time, "perf_counter", lambda: next(ticks))
    assert latency.Machine().median_seconds(seen.append, [("a",), ("b",)]) == 3.0
    assert seen == ["a", "a", "b", "a", "b", "a"] and list(ticks) == []
    monkeypatch.setattr(latency.time, "perf_counter", lambda: 0.0)
    assert latency.Machine().median_seconds(seen.append, [("a",)]) > 0


def test_plan_covers_what_structures_ask_for(quick, space):
    planned = quick.plan(space, SIZE, 2e7)
    asked = {}
    for structure in quick.random_structures(space, SIZE, 2e7, 200, seed=9):
        for use in chain_uses(structure, SIZE):
            asked.setdefault(use.op, set()).add((use.c_in, use.c_out))
    assert set(asked) <= set(planned)
    every_kernel = {use.op for chain in space.every_kernel() for use in chain_uses(chain, SIZE)}
    assert every_kernel <= set(planned)
    for op, points in planned.items():
        assert 1 <= len(points) == len(set(points)) <= quick.POINTS[op.kind]


def test_a_table_of_another_machine(capsys, folder, quick):
    (folder / "s.txt").write_text(
        format_structures([Structure.from_dicts(next(oracle.all_structures(TINY)))])
    )
    assert main(["latency", "s.txt", "--latency-table", "table.json", "--json"]) == 0
    out, err = capsys.readouterr()
    assert (
        err.startswith("the table was measured on made up, this machine is ")
        and json.loads(out)["structures"]
    )


def test_latency_mistakes(capsys, folder, quick):
    (folder / "s.txt").write_text(
        format_structures([Structure.from_dicts(next(oracle.all_structures(TINY)))])
    )
    assert "expected cpu, what the latency table has" in refused(
        capsys, "latency", "s.txt", "--latency-table", "table.json", "--device", "cuda"
    )
    assert "nothing to measure" in refused(capsys, "latency")
    assert "--random without" in refused(capsys, "latency", "--random", "3")
    assert "expected more" in refused(capsys, *PROFILE[:-1], "1K", "--output", "own.json")
    if not pytest.importorskip("torch").cuda.is_available():
        assert "torch sees no GPU" in refused(
            capsys, "profile", "--device", "cuda", "--output", "own.json"
        )


def test_fused_network_is_the_same_function(quick):
    torch = pytest.importorskip("torch")
    from lightnas.backbone.net import CnnNet

    from ..backbone.test_backbone import SMALL

    torch.manual_seed(0)
    net = CnnNet(SMALL)
    with torch.no_grad():
        net(torch.randn(4, 3, 64, 64))  # statistics other than 0 and 1
    net.eval()
    picture = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        before = net(picture)
        after = net.fuse()(picture)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in net.modules())
    for a, b in zip(before, after, strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-4 * float(a.abs().max()))
