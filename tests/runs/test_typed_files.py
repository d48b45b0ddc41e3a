"""What a run reads back of its own files: every key of its type and range, else one line that names
file and key and says how the run goes on."""

import json
import re
import shutil

import numpy as np
import pytest

from lightnas import runs
from lightnas.errors import InputError
from lightnas.runs.front_run import FRONT, POINTS, FrontRun
from lightnas.runs.history import HISTORY, format_history, read_history
from lightnas.runs.search_run import CHECKPOINT, POPULATION, RESULT, SearchRun
from lightnas.runs.training_log import read_logs
from lightnas.runs.training_run import TrainingRun
from lightnas.search.engine import Search
from lightnas.search.state_file import format_state, read_state

BUDGET = {
    "budget": {"flops": "0.5G"}, "input_size": (192, 192), "evaluations": 2000, "proof_work": 0,
}  # fmt: skip
ROW = [4e8, 5e8]
HOSTILE = [None, True, "x", [], {}, -1, 10**39, 1e300, "3"]


@pytest.fixture(scope="module")
def config():
    return runs.load_config(None, BUDGET)


@pytest.fixture(scope="module")
def made(config, tmp_path_factory):
    """A finished search and a finished front."""
    folder = tmp_path_factory.mktemp("typed")
    runs.search(config, folder / "search")
    asked = runs.load_front(None, BUDGET | {"budget": {}}, "flops", ROW)
    rows = runs.compared(["maedet-s"], asked.search.problem)
    runs.front(asked, folder / "front", compare=rows)
    return folder


@pytest.fixture
def folder(made, tmp_path):
    shutil.copytree(made, tmp_path / "copied")
    return tmp_path / "copied"


def refused(read, *said):
    with pytest.raises(InputError) as error:
        read()
    line = str(error.value)
    assert "\n" not in line
    for part in said:
        assert part in line, line


def changed(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize("value", HOSTILE)
def test_every_key_of_a_result_has_a_type(folder, value):
    path = folder / "search" / RESULT
    whole = json.loads(path.read_text())
    for key in whole:
        # null says of proven_optimal what older results say: nothing; a seed may be any number.
        if key == "proven_optimal" and value in (None, True):
            continue
        if key in ("gap", "seed") and type(value) is int:
            continue
        if key in ("score", "upper_bound") and type(value) is int:  # one's own may be negative
            continue
        path.write_text(json.dumps(whole | {key: value}))
        refused(SearchRun(folder / "search").found, f"{path}: {key}", "expected", "overwrite=True")


def test_every_key_of_a_result_is_needed_but_what_older_ones_lack(folder):
    path = folder / "search" / RESULT
    whole = json.loads(path.read_text())
    for key in whole:
        path.write_text(json.dumps({name: whole[name] for name in whole if name != key}))
        if key == "proven_optimal":
            assert SearchRun(folder / "search").found().proven_optimal == (whole["gap"] == 0)
        elif key in ("shadow_prices", "score_parts"):
            assert getattr(SearchRun(folder / "search").found(), key) is None
        elif key in ("upper_bound", "gap"):  # both or none: there may be no bound
            refused(SearchRun(folder / "search").found, f"{key} is missing", "overwrite=True")
        else:
            refused(SearchRun(folder / "search").found, f"no key '{key}'", "overwrite=True")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"shadow_prices": {"flop": 1.0}}, "shadow_prices.flop"),
        ({"shadow_prices": {"flops": "1"}}, "shadow_prices.flops is '1'"),
        ({"shadow_prices": {"flops": -1.0}}, "shadow_prices.flops is -1.0"),
        ({"score_parts": {"widths": 1.0, "kernels": 1.0}}, "score_parts is {"),
        ({"detector": "yolo"}, "detector is 'yolo', expected none, gflv2"),
        ({"detector": None}, "detector is None"),
        ({"activations": "many"}, "activations is 'many'"),
        ({"cheapest": {"within": 0.1}}, "no key 'cheapest.minimise'"),
    ],
)
def test_what_only_some_results_have(folder, more, said):
    path = folder / "search" / RESULT
    changed(path, lambda result: result.update(more))
    refused(SearchRun(folder / "search").found, f"{path}: ", said, "overwrite=True")


def test_a_later_version_may_write_more(folder):
    changed(folder / "search" / RESULT, lambda result: result.update(more=[1]))
    changed(folder / "front" / FRONT, lambda front: front["points"][0].update(more=[1]))
    assert runs.load_run(folder / "search") and runs.load_run(folder / "front")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda front: front.update(axis="colour"), "axis is 'colour'"),
        (lambda front: front.update(points=[]), "points is []"),
        (lambda front: front["points"][1].update(budget=0), "points[1]: budget is 0"),
        (lambda front: front["points"][1].pop("gap"), "points[1]: gap is missing"),
        (lambda front: front["points"][0].update(structure=[1]), "points[0]: structure, block 0"),
        (lambda front: front["compare"][0].pop("params"), "no key 'compare[0].params'"),
    ],
)
def test_a_front(folder, change, said):
    path = folder / "front" / FRONT
    changed(path, change)
    refused(lambda: runs.load_run(folder / "front"), str(path), said, "overwrite=True starts anew")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "is damaged (no keys)"),
        ('{"x": {}}', "x: no key 'budget'"),
        ('{"0": 3}', "0: holds 3"),
        ("{", "is damaged"),
    ],
)
def test_points(folder, text, said):
    (folder / "front" / POINTS).write_text(text)
    refused(lambda: FrontRun(folder / "front").points(ROW), said, "overwrite=True starts anew")


def test_points_of_other_budgets(folder):
    points = json.loads((folder / "front" / FRONT).read_text())["points"]
    (folder / "front" / POINTS).write_text(json.dumps({"1": points[0]}))
    refused(lambda: FrontRun(folder / "front").points(ROW), "no budget of point 1 is 4e+08")
    (folder / "front" / POINTS).write_text(json.dumps({"1": points[1]}))
    assert list(FrontRun(folder / "front").points(ROW)) == [1]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "line 1 is ''"),
        ("a,b\n1,2", "line 1 is 'a,b'"),
        ("evaluations,seconds,best_score\n", "holds no step"),
        ("evaluations,seconds,best_score\n1,2\n", "line 2 is '1,2'"),
        ("evaluations,seconds,best_score\n1,2,3\n1,nan,3\n", "line 3 is '1,nan,3'"),
        ("evaluations,seconds,best_score\n1,2,1e400\n", "line 2"),
        ("evaluations,seconds,best_score\n-1,2,3\n", "line 2"),
        ("evaluations,seconds,best_score\n" + "9" * 5000 + ",2,3\n", "line 2"),
        ("evaluations,seconds,best_score\n1,2,\0\n", "line 2"),
    ],
)
def test_a_history(tmp_path, lines, said):
    (tmp_path / HISTORY).write_text(lines)
    refused(lambda: read_history(tmp_path / HISTORY), HISTORY, said, "expected")


def test_a_history_comes_back(tmp_path):
    steps = [(1, 0.0001, 0.1), (20, 1.5, 1 / 3)]
    (tmp_path / HISTORY).write_text(format_history(steps))
    assert read_history(tmp_path / HISTORY) == steps


@pytest.mark.parametrize("name", ["genomes", "genes", "score", "flops"])
def test_a_population(folder, name):
    path = folder / "search" / POPULATION
    with np.load(path) as arrays:
        whole = dict(arrays)
    for wrong in (whole[name][:1], whole[name][..., None], np.zeros(3, bool)):
        np.savez(path, **whole | {name: wrong})
        refused(SearchRun(folder / "search").found, str(path), "overwrite=True starts anew")
    np.savez(path, **{key: whole[key] for key in whole if key != name})
    refused(SearchRun(folder / "search").found, f"no key '{name}'")


@pytest.mark.parametrize(
    "row", ["axis: {a: 1}", "axis: [flops]", "axis: colour", "values: [.nan, 1]", "values: 3",
            "values: [1" + "0" * 400 + "]", "values: [x]", "values: [true]"],
)  # fmt: skip
def test_the_row_of_a_front(folder, row):
    path = folder / "front" / "config.yaml"
    key = row.split(":")[0]
    kept = re.sub(rf"(?m)^{key}:.*\n(?:- .*\n)*", "", path.read_text())
    path.write_text(f"{kept}{row}\n")
    refused(lambda: runs.load_front(path, {}, None, ()), str(path), "no row of budgets")


# --- checkpoints ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def states(config):
    """A state of each phase."""
    search = Search(config.problem, config.seed, config.limits, config.top)
    found = {"start": search.state()}
    for progress in search.steps():
        found[progress.phase] = search.state()
    assert set(found) == {"start", "evolve", "prove", "done"}
    return found


def search_of(config):
    return Search(config.problem, config.seed, config.limits, config.top)


def read(path, config):
    problem = config.problem
    return read_state(path, len(problem.searched.genes), len(problem.limits))


def equal(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    return a == b or np.array_equal(a, b)


@pytest.mark.parametrize("phase", ["start", "evolve", "prove", "done"])
def test_states_come_back(tmp_path, config, states, phase):
    path = tmp_path / CHECKPOINT
    path.write_bytes(format_state(states[phase]))
    assert equal(read(path, config), states[phase])
    search = search_of(config)
    search.restore(read(path, config))
    assert equal(search.state(), states[phase])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"phase": "steps"}, "phase is 'steps'"),
        ({"evaluations": -1}, "evaluations is -1"),
        ({"seconds": "1"}, "seconds is '1'"),
        ({"history": [[1, 2]]}, "history"),
        ({"proof": {"genome": 1}}, "proof"),
        ({"evolution": None}, "evolution is None"),
    ],
)
def test_a_state_of_other_types_is_refused(tmp_path, config, states, change, said):
    path = tmp_path / CHECKPOINT
    path.write_bytes(format_state(states["evolve"] | change))
    refused(lambda: read(path, config), CHECKPOINT, said, "expected")


def test_columns_of_open_nodes_are_of_one_length(tmp_path, config, states):
    """Each may be of nothing, but only where all are."""
    path, state = tmp_path / CHECKPOINT, states["done"]
    genes, budgets = len(config.problem.searched.genes), len(config.problem.limits)
    nodes = {
        "minus_bound": np.zeros(2),
        "serial": np.arange(2),
        "low": np.zeros((2, genes), np.int64),
        "high": np.ones((2, genes), np.int64),
        "multipliers": np.zeros((2, budgets)),
    }
    for name in (None, *nodes):
        emptied = {} if name is None else {name: np.array([])}
        proof = state["proof"] | {"nodes": nodes | emptied}
        path.write_bytes(format_state(state | {"proof": proof}))
        if name is None:
            assert len(read(path, config)["proof"]["nodes"]["low"]) == 2
        else:
            refused(lambda: read(path, config), CHECKPOINT, "one length")


def test_a_state_sets_nothing_but_what_a_search_has(tmp_path, config, states):
    path = tmp_path / CHECKPOINT
    path.write_bytes(format_state(states["evolve"] | {"problem": 1, "best_score": 1e9}))
    assert "problem" not in read(path, config)
    search = search_of(config)
    search.restore(states["evolve"] | {"limits": None, "_evolve": "x"})
    assert search.limits == config.limits and callable(search._evolve)


def test_arrays_that_nothing_asks_for_are_refused(tmp_path, config, states):
    path = tmp_path / CHECKPOINT
    path.write_bytes(format_state(states["evolve"]))
    with np.load(path) as arrays:
        whole = dict(arrays)
    np.savez(path, **whole, more=np.zeros(3))
    refused(lambda: read(path, config), "nothing asks for more")
    name = "state.evolution.genomes"
    np.savez(path, **{key: whole[key] for key in whole if key != name})
    refused(lambda: read(path, config), CHECKPOINT, "is damaged", name)


def test_a_state_of_another_search_is_refused(config, states):
    other = runs.load_config(None, BUDGET | {"budget": {"flops": "0.2G"}})
    refused(lambda: search_of(other).restore(states["evolve"]), "of another search")
    evolution = states["evolve"]["evolution"]
    for change in (
        {"scores": evolution["scores"] + 1},
        {"genomes": evolution["genomes"] + 1000},
        {"genomes": evolution["genomes"][:0], "scores": evolution["scores"][:0]},
    ):
        state = states["evolve"] | {"evolution": evolution | change}
        refused(lambda state=state: search_of(config).restore(state), "expected")


def test_a_damaged_checkpoint_says_how_to_go_on(tmp_path, config):
    (tmp_path / CHECKPOINT).write_bytes(b"PK\x03\x04 nonsense")
    with SearchRun(tmp_path) as run:
        refused(
            lambda: run.load(search_of(config)),
            f"{tmp_path / CHECKPOINT}: is damaged",
            "overwrite=True starts anew",
        )


# --- trainings -----------------------------------------------------------------------------------------------------


def log_of(folder, *rows):
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / "20260101_000000.log.json").write_text("\n".join(lines))
    return read_logs(folder)


def loss(epoch, iteration, value):
    return {"mode": "train", "epoch": epoch, "iter": iteration, "loss": value}


def test_losses_that_are_no_number_are_counted(tmp_path):
    log = log_of(
        tmp_path, loss(1, 50, 2.0), loss(1, 100, float("nan")), loss(2, 50, float("inf")),
        loss(2, 100, -float("inf")), '{"mode": "train", "epoch": 3, "iter": 50, "loss": 1e400}',
    )  # fmt: skip
    assert log.losses == [(0.5, 2.0)] and log.diverged == 4 and log.left_out == 0


def test_damaged_lines_are_counted_but_for_one_that_a_kill_cut_off(tmp_path):
    rows = [loss(1, 50, 2.0), loss(1, "x", 2.0), loss(0, 1, 1.0), "[1]", "{" * 5000, loss(1, 0, 1)]
    log = log_of(tmp_path, *rows, {"mode": "val", "epoch": 1, "bbox_mAP": "x"}, '{"mode": "tra')
    assert log.left_out == 6 and len(log.losses) == 1 and not log.precisions


def test_a_log_without_losses(tmp_path):
    refused(lambda: read_logs(tmp_path), "holds no log of a training")
    refused(lambda: log_of(tmp_path, {"mode": "val", "epoch": 1}), "holds no log of a training")


@pytest.mark.parametrize("value", ["0.4", 2, float("nan"), [], 10**400])
def test_the_result_of_a_training(tmp_path, value):
    if value == 10**400:
        (tmp_path / RESULT).write_text('{"ap": 1' + "0" * 400 + "}")
    else:
        (tmp_path / RESULT).write_text(json.dumps({"ap": value}))
    refused(lambda: TrainingRun(tmp_path).result, RESULT, "overwrite=True starts anew")
