"""Passes side by side: the sums of gradients, the caller's modes, failures."""

import threading

import pytest
import torch
from prefloop.train.speed.side_by_side import Lanes


def passes(weight, seen=None):
    def one(number):
        def run():
            if seen is not None:
                seen.append((torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"), threading.get_ident()))
            value = (weight * number).sin()
            return value, value.detach() + 1

        return run

    return [one(number) for number in range(1, 8)]


@pytest.fixture
def lanes():
    return Lanes(2)


def test_values_and_gradients_are_those_of_one_after_the_other(lanes):
    weight, unused = (torch.linspace(0, 1, 5).requires_grad_() for _ in range(2))
    expected = [run() for run in passes(weight)]
    sum((number + 1) * values[0].sum() for number, values in enumerate(expected)).backward()
    grad, weight.grad = weight.grad.clone(), None
    found = lanes.run(passes(weight), [weight, unused])
    sum((number + 1) * values[0].sum() for number, values in enumerate(found)).backward()
    for one, other in zip(found, expected, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    torch.testing.assert_close(weight.grad, grad)
    assert unused.grad is None


def test_gradients_add_up_in_the_same_order_each_time(lanes):
    found = set()
    for _ in range(20):
        weight = torch.linspace(0, 1, 999).requires_grad_()
        sum(values[0].sum() for values in lanes.run(passes(weight), [weight])).backward()
        found.add(weight.grad.numpy().tobytes())
    assert len(found) == 1


def test_passes_know_the_callers_modes_and_leave_its_cores_alone(lanes):
    weight, seen, cores = torch.ones(1).requires_grad_(), [], torch.get_num_threads()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        (first, *_), *_ = lanes.run(passes(weight, seen), [weight])
    assert {modes[:2] for modes in seen} == {(False, True)}
    assert not first.requires_grad
    assert threading.get_ident() not in {thread for *_, thread in seen}
    lanes.run(passes(weight, seen), [weight])
    assert seen[-1][:2] == (True, False)
    assert torch.get_num_threads() == cores


def test_what_fails_in_a_pass_fails_here(lanes):
    def broken():
        raise ArithmeticError("no number")

    with pytest.raises(ArithmeticError, match="no number"):
        lanes.run([broken], [])
