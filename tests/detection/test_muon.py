"""Muon, by arithmetic: a decomposition as oracle, torch's own where it has one, AdamW for the rest."""

import copy

import pytest
import torch
from torch import nn

import lightnas.detection  # noqa: F401 (where torchvision is missing, mmcv cannot be imported before it)
from lightnas.detection.config import build_config
from lightnas.detection.muon import LEAST, QUINTIC, TIMES, MuonAdamW, is_matrix, orthogonal
from lightnas.detection.options import TrainOptions
from lightnas.detection.progress import check_optimizer
from lightnas.detection.recipe import SetSize
from lightnas.detection.training import build_model

SIZE = SetSize(400, 2000, (400,), 192, 192, 35.0)
SHAPES = [(16, 16), (16, 40), (40, 16), (24, 216), (80, 2000), (64, 576)]


def net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 20, 3), nn.BatchNorm2d(20), nn.Conv2d(20, 24, 3), nn.Conv2d(24, 4, 1)
    )


def with_gradients(module, seed):
    rng = torch.Generator().manual_seed(seed)
    for weight in module.parameters():
        weight.grad = torch.randn(weight.shape, generator=rng)
    return module


def by_decomposition(matrix):
    """The quintic on each singular value, one by one."""
    left, values, right = torch.linalg.svd(matrix.double(), full_matrices=False)
    values = values / values.square().sum().sqrt()
    a, b, c = QUINTIC
    for _ in range(TIMES):
        values = a * values + b * values**3 + c * values**5
    return (left * values) @ right


@pytest.mark.parametrize("shape", SHAPES)
def test_singular_values_are_carried_by_the_quintic(shape):
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1))
    found = orthogonal(matrices)
    for one, matrix in zip(found, matrices, strict=True):
        torch.testing.assert_close(one.double(), by_decomposition(matrix), rtol=0, atol=2e-5)
        values = torch.linalg.svdvals(one)
        assert values.min() > 0.3 and values.max() < 1.3


def test_the_singular_vectors_stay_where_values_are_far_apart():
    left, right = (torch.linalg.qr(torch.randn(24, 24, dtype=torch.double))[0] for _ in range(2))
    matrix = (left * torch.logspace(0, -3, 24, dtype=torch.double)) @ right
    found = orthogonal(matrix.float()[None])[0].double()
    torch.testing.assert_close(found, by_decomposition(matrix), rtol=0, atol=1e-3)


def test_nothing_becomes_of_no_gradient():
    assert not orthogonal(torch.zeros(1, 20, 30)).any()


@pytest.mark.parametrize("shape", SHAPES)
def test_as_torch_where_it_has_one(shape):
    """torch's takes matrices alone, and rounds to bf16 within."""
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("this torch has none")
    torch.manual_seed(2)
    ours, theirs = (nn.Parameter(torch.ones(shape)) for _ in range(2))
    settings = {"lr": 0.01, "weight_decay": 0.1}
    optimizers = (
        MuonAdamW([ours], **settings),
        torch.optim.Muon([theirs], adjust_lr_fn="match_rms_adamw", **settings),
    )
    for _ in range(3):
        ours.grad = torch.randn(shape)
        theirs.grad = ours.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    moved = (theirs - 1).detach()
    assert torch.linalg.norm(ours - theirs) < 0.05 * torch.linalg.norm(moved)


def test_a_step_of_a_kernel_is_as_large_as_adamws():
    kernel = nn.Parameter(torch.zeros(64, 32, 3, 3))
    kernel.grad = torch.randn(kernel.shape, generator=torch.Generator().manual_seed(3))
    MuonAdamW([kernel], lr=1.0).step()
    assert kernel.detach().square().mean().sqrt().item() == pytest.approx(0.2, rel=0.25)


def test_all_other_weights_are_adamws():
    ours, theirs = net(), net()
    kept = [name for name, weight in ours.named_parameters() if not is_matrix(weight)]
    assert kept == ["0.bias", "1.weight", "1.bias", "2.bias", "3.weight", "3.bias"]
    optimizers = (
        MuonAdamW(ours.parameters(), lr=0.01),
        torch.optim.AdamW(theirs.parameters(), lr=0.01),
    )
    for seed in range(4):
        with_gradients(ours, seed), with_gradients(theirs, seed)
        for optimizer in optimizers:
            optimizer.step()
    there = dict(theirs.named_parameters())
    for name, weight in ours.named_parameters():
        alike = torch.allclose(weight, there[name], rtol=1e-5, atol=1e-7)
        assert alike == (name in kept), name


def test_decay_is_apart_from_the_gradient():
    weight = nn.Parameter(torch.ones(LEAST, LEAST))
    weight.grad = torch.zeros_like(weight)
    MuonAdamW([weight], lr=0.1, weight_decay=0.5).step()
    torch.testing.assert_close(weight.detach(), torch.full_like(weight, 0.95))


def test_gradients_are_left_and_weights_without_one_stay():
    module = with_gradients(net(), 0)
    still = module[2].weight
    still.grad = None
    before = still.detach().clone()
    gradients = [None if w.grad is None else w.grad.clone() for w in module.parameters()]
    MuonAdamW(module.parameters()).step()
    assert torch.equal(still, before)
    for weight, gradient in zip(module.parameters(), gradients, strict=True):
        assert weight.grad is gradient is None or torch.equal(weight.grad, gradient)


def test_groups_of_the_same_settings_are_one():
    module = net()
    groups = [
        {"params": [w], "weight_decay": 0.0 if w.ndim == 1 else 0.05} for w in module.parameters()
    ]
    optimizer = MuonAdamW(groups, lr=0.01)
    assert [len(group["params"]) for group in optimizer.param_groups] == [3, 5]
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.0, 0.05}


def test_it_goes_on_from_its_state_to_the_same_bytes():
    unbroken = net()
    optimizer = MuonAdamW(unbroken.parameters(), lr=0.01)
    for seed in range(2):
        with_gradients(unbroken, seed)
        optimizer.step()
    resumed = copy.deepcopy(unbroken)
    other = MuonAdamW(resumed.parameters(), lr=0.5)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for module, one in ((unbroken, optimizer), (resumed, other)):
        for seed in range(2, 4):
            with_gradients(module, seed)
            one.step()
    for one, two in zip(unbroken.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, two)


def test_a_closure_is_asked_for_the_loss():
    weight = nn.Parameter(torch.ones(LEAST, LEAST))

    def loss():
        value = weight.square().sum()
        value.backward()
        return value

    assert MuonAdamW([weight]).step(loss) == LEAST**2
    assert (weight < 1).all()


@pytest.mark.parametrize("momentum", [-0.1, 1.0, 2, float("nan"), "x"])
def test_momentum_has_a_range(momentum):
    with pytest.raises(ValueError, match="expected a number from 0 to less than 1"):
        MuonAdamW([nn.Parameter(torch.ones(1))], momentum=momentum)


def test_a_weight_is_in_one_group():
    weight = nn.Parameter(torch.ones(1))
    with pytest.raises(ValueError, match="more than one"):
        MuonAdamW([{"params": [weight]}, {"params": [weight], "lr": 0.1}])


def test_a_state_of_another_optimizer_is_refused():
    module = with_gradients(net(), 0)
    other = torch.optim.AdamW(module.parameters())
    other.step()
    with pytest.raises(ValueError, match="expected those of Muon and AdamW"):
        MuonAdamW(module.parameters()).load_state_dict(other.state_dict())


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
def test_depthwise_kernels_are_adamws(kernel):
    """Whatever their size is; grouped ones whose rows read something in common are Muon's."""
    assert not is_matrix(nn.Conv2d(64, 64, kernel, groups=64).weight)
    assert is_matrix(nn.Conv2d(64, 64, kernel, groups=2).weight)


def detector(structure, classes):
    options = TrainOptions(structure=structure, width=64, optimizer="muon")
    cfg = build_config(options, "cpu", SIZE, small=True)
    cfg.model.bbox_head.num_classes = classes
    return build_model(cfg, "test"), cfg


@pytest.mark.parametrize("classes", [3, 10, LEAST - 1, LEAST, 40])
def test_the_classifier_is_adamws_however_many_classes(structure, classes):
    """All else of a detector without depthwise kernels goes by its shape."""
    model, _ = detector(structure, classes)
    left = {name for name, weight in model.named_parameters() if not is_matrix(weight)}
    small = {
        name
        for name, weight in model.named_parameters()
        if weight.ndim < 2 or min(weight.flatten(1).shape) < LEAST
    }
    assert left == small | {"bbox_head.gfl_cls.weight"}
    assert "bbox_head.gfl_reg.weight" not in left


def test_the_classifier_changes_nothing_that_is_drawn(structure):
    torch.manual_seed(0)
    few, cfg = detector(structure, 40)
    after = torch.rand(3)
    torch.manual_seed(0)
    cfg.optimizer.type = "AdamW"
    same = build_model(cfg, "test")
    assert torch.equal(after, torch.rand(3))
    for one, two in zip(few.parameters(), same.parameters(), strict=True):
        assert torch.equal(one, two)


def test_a_weight_that_was_muons_stays_so():
    """In a run from before depthwise kernels and classifiers were left to AdamW."""
    module = with_gradients(nn.Sequential(nn.Conv2d(32, 32, 5, groups=32)), 0)
    optimizer = MuonAdamW(module.parameters(), lr=0.01)
    optimizer.step()
    weight = module[0].weight
    assert optimizer.state[weight].keys() == {"step", "exp_avg", "exp_avg_sq"}
    state = copy.deepcopy(optimizer.state_dict())
    state["state"][0] = {"step": torch.ones(()), "momentum_buffer": torch.zeros_like(weight)}
    optimizer.load_state_dict(state)
    with_gradients(module, 1)
    optimizer.step()
    assert optimizer.state[weight].keys() == {"step", "momentum_buffer"}
    assert optimizer.state[weight]["momentum_buffer"].any()
    assert optimizer.state[weight]["step"] == 2


@pytest.mark.parametrize("key", ["momentum_buffer", "exp_avg", "exp_avg_sq", "step"])
def test_a_damaged_state_is_refused(key):
    """A number where a tensor of the weight's shape belongs, or the other way round."""
    module = with_gradients(net(), 0)
    optimizer = MuonAdamW(module.parameters())
    optimizer.step()
    check_optimizer(optimizer)
    state = next(state for state in optimizer.state.values() if key in state)
    state[key] = torch.zeros(3) if key == "step" else torch.tensor(1.0)
    with pytest.raises(ValueError, match=key):
        check_optimizer(optimizer)
