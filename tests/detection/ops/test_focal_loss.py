"""The focal loss against its formula, and its gradient. mmcv's compiled one runs on CUDA only."""

import math

import numpy as np
import pytest
import torch

from . import oracle

TARGET = torch.tensor([0, 2, 3, 1, 3])  # 3 is the background


@pytest.mark.parametrize(("gamma", "alpha"), [(2.0, 0.25), (0.5, 0.75), (0.0, 0.5)])
@pytest.mark.parametrize("weight", [None, [0.5, 2.0, 3.0]])
def test_forward_and_gradient(plain, gamma, alpha, weight):
    logits = (torch.randn(5, 3, dtype=torch.float64) * 3).requires_grad_()
    factors = None if weight is None else torch.tensor(weight, dtype=torch.float64)
    found = plain.sigmoid_focal_loss(logits, TARGET, gamma, alpha, factors, "none")
    expected = oracle.focal_loss(logits.detach().numpy(), TARGET.tolist(), gamma, alpha, weight)
    np.testing.assert_allclose(found.detach(), expected, rtol=1e-9)
    for reduction, total in (("sum", expected.sum()), ("mean", expected.sum() / 5)):
        found = plain.sigmoid_focal_loss(logits, TARGET, gamma, alpha, factors, reduction)
        assert found.item() == pytest.approx(total)
    assert torch.autograd.gradcheck(
        lambda logits: plain.sigmoid_focal_loss(logits, TARGET, gamma, alpha, factors, "sum"),
        logits,
    )


def test_large_logits(plain):
    """The logarithm is bounded as in mmcv, and nothing becomes nan."""
    logits = torch.tensor([[-1000.0], [-50.0], [1000.0]], requires_grad=True)
    loss = plain.sigmoid_focal_loss(logits, torch.tensor([0, 0, 1]), 2.0, 0.25, None, "none")
    bound = -math.log(np.finfo(np.float32).tiny)
    np.testing.assert_allclose(loss.detach()[:, 0], [0.25 * bound, 12.5, 0.75 * bound], rtol=1e-6)
    loss.sum().backward()
    np.testing.assert_allclose(logits.grad[:, 0], [-0.25, -0.25, 0.75], rtol=1e-6)


def test_as_mmdet_in_python(plain):
    from mmdet.models.losses.focal_loss import py_sigmoid_focal_loss

    logits = torch.randn(50, 4) * 4
    target = torch.randint(0, 5, (50,))
    one_hot = torch.nn.functional.one_hot(target, 5)[:, :4]
    expected = py_sigmoid_focal_loss(logits, one_hot, reduction="none")
    torch.testing.assert_close(
        plain.sigmoid_focal_loss(logits, target, 2.0, 0.25, None, "none"), expected
    )
