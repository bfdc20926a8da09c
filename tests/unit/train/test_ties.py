"""Davidson's and Rao and Kupper's models against their definitions in strengths, and against Bradley-Terry."""

import pytest
import torch
from prefloop.train.votes.ties import davidson, rao_kupper

MARGINS = torch.linspace(-30, 30, 121, dtype=torch.float64)
SHARES = (0.01, 0.3, 0.5, 0.9)


def davidson_by_strengths(first, second, share):
    nu = share / (1 - share)
    tie = 2 * nu * (first * second).sqrt()
    total = first + second + tie
    return first / total, tie / total, second / total


def rao_kupper_by_strengths(first, second, share):
    nu = (1 + share) / (1 - share)
    win, loss = first / (first + nu * second), second / (second + nu * first)
    tie = (nu**2 - 1) * first * second / ((first + nu * second) * (second + nu * first))
    return win, tie, loss


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize(
    ("model", "by_strengths"), [(davidson, davidson_by_strengths), (rao_kupper, rao_kupper_by_strengths)]
)
def test_probabilities_are_those_of_the_definition_and_add_up_to_one(model, by_strengths, share):
    found = [logs.exp() for logs in model(MARGINS, share)]
    # Whatever the strengths are: only their quotient, e to the margin, counts.
    for second in (1.0, 7.0):
        expected = by_strengths(second * MARGINS.exp(), torch.full_like(MARGINS, second), share)
        for ours, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(sum(found), torch.ones_like(MARGINS), rtol=1e-12, atol=0)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("model", [davidson, rao_kupper])
def test_equal_answers_tie_as_often_as_the_setting_says_and_unequal_ones_less(model, share):
    win, tie, loss = (logs.exp() for logs in model(MARGINS, share))
    middle = len(MARGINS) // 2
    assert float(tie[middle]) == pytest.approx(share)
    assert float(win[middle]) == float(loss[middle])
    assert bool((tie.diff()[:middle] > 0).all())
    assert bool((tie.diff()[middle:] < 0).all())
    torch.testing.assert_close(win, loss.flip(0))


@pytest.mark.parametrize("model", [davidson, rao_kupper])
def test_without_ties_both_are_bradley_terry(model):
    win, tie, loss = model(MARGINS, 1e-9)
    torch.testing.assert_close(win, torch.nn.functional.logsigmoid(MARGINS), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(loss, torch.nn.functional.logsigmoid(-MARGINS), rtol=1e-6, atol=1e-6)
    assert float(tie.exp().max()) < 1e-8


@pytest.mark.parametrize("model", [davidson, rao_kupper])
def test_gradients_are_those_of_finite_differences_and_stay_finite(model):
    margins = torch.linspace(-8, 8, 17, dtype=torch.float64, requires_grad=True)
    for outcome in range(3):
        assert torch.autograd.gradcheck(lambda d, outcome=outcome: model(d, 0.5)[outcome], (margins,))
    far = torch.tensor([-1e4, 1e4], requires_grad=True)
    torch.stack(model(far, 0.5)).sum().backward()
    assert bool(far.grad.isfinite().all())


@pytest.mark.parametrize("model", [davidson, rao_kupper])
def test_a_tie_pulls_its_margin_to_zero(model):
    margins = torch.tensor([-3.0, -0.5, 0.5, 3.0], requires_grad=True)
    (-model(margins, 0.5)[1]).sum().backward()
    assert torch.equal(margins.grad.sign(), margins.detach().sign())
