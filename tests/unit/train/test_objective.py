"""Whether reading the votes helps: a small linear policy, and people who are known to err."""

import random

import pytest
import torch
from prefloop.train import TrainSettings
from prefloop.train.votes.objective import vote_loss
from prefloop.train.votes.reading import TARGET, TIED, WEIGHT

FEATURES, PAIRS, VOTES = 12, 150, 3
CROWDS = range(8)


def settings(**votes):
    return TrainSettings.model_validate({"votes": votes}).votes


def said(weights, targets, tied=None):
    tied = [False] * len(weights) if tied is None else tied
    columns = (torch.tensor(weights), torch.tensor(targets), torch.tensor(tied))
    return dict(zip((WEIGHT, TARGET, TIED), columns, strict=True))


def fit(features, read, votes, pull=0.0):
    """Return the margins' weights that minimise the loss; margins are linear in what tells two answers apart."""
    weights = torch.zeros(features.shape[1], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        loss = vote_loss(features @ weights, read, votes).mean() + pull * weights.square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    return weights.detach()


class Crowd:
    """Pairs whose true preference is known, each voted on three times; the label is the majority's."""

    def __init__(self, seed):
        draw = torch.Generator().manual_seed(seed)
        self.truth = torch.randn(FEATURES, generator=draw, dtype=torch.float64)
        features = torch.randn(PAIRS, FEATURES, generator=draw, dtype=torch.float64)
        chance = torch.sigmoid(features @ self.truth * 0.5)
        agree = (torch.rand(PAIRS, VOTES, generator=draw) < chance[:, None]).sum(1)
        first = agree > VOTES / 2
        self.features = torch.where(first[:, None], features, -features)  # as chosen over rejected
        self.share = torch.where(first, agree, VOTES - agree) / VOTES
        fresh = torch.randn(2000, FEATURES, generator=draw, dtype=torch.float64)
        self.unseen = fresh * (fresh @ self.truth).sign()[:, None]

    @property
    def noisy(self):
        """Pairs that people disagree about."""
        return self.share < 1

    def right(self, weights):
        """The share of the unseen pairs in which the margin has the true sign."""
        return float((self.unseen @ weights > 0).double().mean())

    def right_on_noisy(self, weights):
        """The same of the contested training pairs, whose labels are often wrong."""
        some = self.features[self.noisy]
        return float(((some @ weights).sign() == (some @ self.truth).sign()).double().mean())


def gains(read, votes):
    """How much more often than with hard labels the preference is right: on unseen pairs, and on contested ones."""
    ones, unseen, noisy = [1.0] * PAIRS, [], []
    for seed in CROWDS:
        crowd = Crowd(seed)
        hard = fit(crowd.features, said(ones, ones), settings(), pull=1e-3)
        ours = fit(crowd.features, read(crowd), votes, pull=1e-3)
        unseen.append(crowd.right(ours) - crowd.right(hard))
        noisy.append(crowd.right_on_noisy(ours) - crowd.right_on_noisy(hard))
    return sum(unseen) / len(unseen), sum(noisy) / len(noisy), sum(gain > 0 for gain in unseen)


def test_soft_targets_find_the_preference_that_hard_labels_miss():
    read = lambda crowd: said([1.0] * PAIRS, ((0.5 + VOTES * crowd.share) / (VOTES + 1)).tolist())  # noqa: E731
    unseen, noisy, better = gains(read, settings(targets="soft"))
    assert (unseen > 0.01, noisy > 0.02, better >= 7) == (True, True, True), (unseen, noisy, better)


def test_weights_find_it_too():
    read = lambda crowd: said((crowd.share / crowd.share.mean()).tolist(), [1.0] * PAIRS)  # noqa: E731
    unseen, noisy, better = gains(read, settings(weights=True))
    assert (unseen > 0.002, noisy > 0.005, better >= 6) == (True, True, True), (unseen, noisy, better)


@pytest.mark.parametrize("ties", ["davidson", "rao_kupper"])
def test_ties_tell_what_no_clear_pair_tells(ties):
    """A feature that people do not care about: only ties say so, and dropping them leaves it to chance."""
    draw = random.Random(0)
    clear = [[1.0 + draw.gauss(0, 0.3), draw.gauss(0.4, 1.0)] for _ in range(30)]
    tied = [[draw.gauss(0, 0.02), draw.gauss(0, 2.0)] for _ in range(30)]
    features = torch.tensor(clear + tied, dtype=torch.float64)
    read = said([1.0] * 60, [1.0] * 60, [False] * 30 + [True] * 30)
    ones = said([1.0] * 30, [1.0] * 30)
    dropped = fit(features[:30], ones, settings(), pull=1e-2)
    with_ties = fit(features, read, settings(ties=ties), pull=1e-2)
    size = lambda weights: float((features[30:] @ weights).abs().mean())  # noqa: E731
    assert size(with_ties) < size(dropped) / 2
    assert bool((features[:30] @ with_ties > 0).all())


def test_a_target_of_one_half_is_learnt_as_a_margin_of_zero():
    margin = torch.tensor([-2.0, 0.0, 2.0], requires_grad=True)
    vote_loss(margin, said([1.0] * 3, [0.5] * 3), settings(targets="soft")).sum().backward()
    assert margin.grad.sign().tolist() == [-1.0, 0.0, 1.0]


@pytest.mark.parametrize("target", [0.6, 0.8, 0.95])
def test_the_best_margin_is_the_log_odds_of_the_target(target):
    margin = torch.tensor([target / (1 - target)], dtype=torch.float64).log().requires_grad_()
    vote_loss(margin, said([3.0], [target]), settings(targets="soft")).sum().backward()
    assert float(margin.grad) == pytest.approx(0.0, abs=1e-6)
