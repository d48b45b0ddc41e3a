"""Rounds: so many steps whatever the size of the set, every picture as often as any other, the same
after a resume; and trainings that end when nothing gets better."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmdet.datasets.samplers import GroupSampler

from lightnas.detection.overfitting import StopEarly
from lightnas.detection.rounds import BeginRound, Rounds, apportioned, row_of_passes


class Pictures:
    """As mmdet's data sets are: some stand, some lie."""

    CLASSES = ("a",)

    def __init__(self, flags):
        self.flag = np.array(flags, np.uint8)

    def __len__(self):
        return len(self.flag)

    def __getitem__(self, index):
        return range(len(self))[index]


def runner(epoch, max_epochs=20, dataset=None, best=None):
    said = []
    messages = {"best_ckpt": best} if best else {}
    return SimpleNamespace(
        epoch=epoch, max_epochs=max_epochs, _max_epochs=max_epochs, said=said,
        meta={"seed": 3, "hook_msgs": messages}, data_loader=SimpleNamespace(dataset=dataset),
        logger=SimpleNamespace(info=said.append),
    )  # fmt: skip


@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 10**6))
def test_passes_are_permutations_in_one_row(length, count, seed):
    group = np.arange(100, 100 + length)
    number = 3 * length // count + 2
    row = np.concatenate([row_of_passes(group, i * count, count, (seed,)) for i in range(number)])
    assert len(row) == number * count
    for start in range(0, len(row) - length + 1, length):
        assert sorted(row[start : start + length]) == group.tolist()


@given(st.integers(0, 1000), st.lists(st.integers(1, 1000), min_size=1, max_size=5))
def test_shares_add_up(total, weights):
    shares = apportioned(total, weights)
    exact = [total * weight / sum(weights) for weight in weights]
    assert sum(shares) == total
    assert all(abs(a - b) < 1 for a, b in zip(shares, exact, strict=True))


@given(st.lists(st.integers(0, 1), min_size=1, max_size=40), st.integers(1, 12), st.integers(1, 5))
def test_a_round_has_its_steps_and_batches_of_one_shape(flags, steps, batch):
    data = Rounds(Pictures(flags), steps, batch)
    assert len(data) == steps * batch
    order = list(GroupSampler(data, batch))
    batches = [order[i : i + batch] for i in range(0, len(order), batch)]
    assert len(batches) == steps and sorted(order) == list(range(len(data)))
    apart = len(set(data.flag)) > 1
    for numbers in batches:
        shapes = {flags[data[number]] for number in numbers}
        assert not apart or len(shapes) == 1


def test_no_picture_is_seen_more_than_once_more_than_another():
    data, seen = Rounds(Pictures([0] * 7), 3, 4), np.zeros(7, int)
    for number in range(50):
        data.begin(5, number)
        for i in range(len(data)):
            seen[data[i]] += 1
        assert seen.max() - seen.min() <= 1


def test_a_round_depends_on_seed_and_number_alone():
    data, again = (Rounds(Pictures([0, 1] * 20), 10, 2) for _ in range(2))
    data.begin(1, 0)
    data.begin(1, 7)
    again.begin(1, 7)
    assert (data.places == again.places).all()
    for seed, number in ((2, 7), (1, 8)):
        again.begin(seed, number)
        assert (data.places != again.places).any()


@pytest.mark.parametrize(("epoch", "skipped"), [(0, []), (16, []), (17, ["Mix"]), (19, ["Mix"])])
def test_the_last_rounds_are_not_mixed(epoch, skipped):
    """Also where a run begins in one of them."""
    mixed, known = Pictures([0] * 9), []
    mixed.update_skip_type_keys = known.append
    data = Rounds(mixed, 2, 2)
    BeginRound(plain=3, steps=("Mix",)).before_train_epoch(runner(epoch, dataset=data))
    assert known == [skipped]
    assert (data.places == row_of_passes(np.arange(9), epoch * 4, 4, (3, 0))).all()


@pytest.mark.parametrize(
    ("done", "best", "end"),
    [
        (4, "w/best_bbox_mAP_epoch_1.pth", 20),
        (5, "w/best_bbox_mAP_epoch_1.pth", 5),
        (9, "/a b/best_bbox_mAP_epoch_3.pth", 9),
        (9, None, 20),  # nothing found so far: it may have to begin yet
        (20, "best_bbox_mAP_epoch_3.pth", 20),
    ],
)
def test_it_ends_when_nothing_gets_better(done, best, end):
    """After an epoch, and where a run goes on that had ended."""
    hook = StopEarly(patience=4)
    training, resumed = runner(done - 1, best=best), runner(done, best=best)
    hook.after_train_epoch(training)
    hook.before_run(resumed)
    assert training._max_epochs == resumed._max_epochs == end
    assert bool(training.said) == (end == done < 20)
