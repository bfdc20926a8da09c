"""Whose votes can be relied on: against the others, against gold answers, and as three models of annotators see it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import log
from typing import Any

from .item import Item, response
from .sides import other
from .vote import Vote


@dataclass(frozen=True, slots=True)
class Aggregated:
    """What a model of annotators makes of the counted votes."""

    posterior: dict[str, dict[str, float]]
    """By item: the probability of each choice that occurs; they add up to 1."""
    accuracy: dict[str, float]
    """By annotator, 0 to 1: for Dawid-Skene the chance of naming the true choice, for MACE that of not guessing."""


@dataclass(frozen=True, slots=True)
class Skill:
    """An annotator as the Bradley-Terry model with annotator skill sees them."""

    skill: float
    """The share of votes that follow the answers' quality, 0 to 1; the others are clicked without looking."""
    first: float
    """Of those others, the share for the answer shown first: 0.5 without a habit."""


@dataclass(frozen=True, slots=True)
class Check:
    """One counted vote held against a reference: the others' majority, or a gold answer."""

    vote: Vote
    expected: str

    @property
    def right(self) -> bool:
        """Whether the vote is as expected."""
        return self.vote.choice == self.expected


def against_others(votes: Sequence[Vote], weights: Mapping[str, float] | None = None) -> list[Check]:
    """Hold each counted vote against the majority of the other annotators' votes on its item.

    Votes without such a majority (no other vote, or two choices about even) can't be checked and are not returned.

    Args:
        votes: Any votes; only counted ones are used.
        weights: By annotator, above 0 (`log_odds`); 1 for all by default. A choice is the majority where it leads by
            half a typical vote of those who voted.
    """
    checks = []
    for rows in _counted(votes).values():
        weigh = [weights[vote.annotator] if weights else 1.0 for vote in rows]
        totals: dict[str, float] = defaultdict(float)
        for vote, weight in zip(rows, weigh, strict=True):
            totals[str(vote.choice)] += weight
        for vote, weight in zip(rows, weigh, strict=True):
            others = totals | {str(vote.choice): totals[str(vote.choice)] - weight}
            (first, most), *rest = sorted(others.items(), key=lambda row: -row[1])
            if len(rows) > 1 and most - (rest[0][1] if rest else 0.0) > sum(others.values()) / (len(rows) - 1) / 2:
                checks.append(Check(vote, first))
    return checks


def log_odds(model: Aggregated, votes: Sequence[Vote]) -> dict[str, float]:
    """Return what a vote of each annotator weighs: the log odds of their being right (Nitzan and Paroush 1982).

    The model's accuracies are drawn to their mean by ten votes' worth and kept between 0.51 and 0.95, so that nobody
    rules and nobody counts against their own word (Int. Econ. Rev. 23, 289-297, for the weights).
    """
    counts = Counter(vote.annotator for vote in votes if vote.counts)
    mean = sum(model.accuracy.get(name, 0.5) * n for name, n in counts.items()) / max(1, sum(counts.values()))
    drawn = {name: (model.accuracy.get(name, mean) * n + mean * 10) / (n + 10) for name, n in counts.items()}
    return {name: log(p / (1 - p)) for name, p in ((name, min(0.95, max(0.51, p))) for name, p in drawn.items())}


def against_gold(votes: Sequence[Vote], gold: Mapping[str, str]) -> list[Check]:
    """Hold each counted vote on a gold item against its known answer."""
    return [Check(vote, gold[vote.item_id]) for vote in votes if vote.counts and vote.item_id in gold]


def dawid_skene(votes: Sequence[Vote]) -> Aggregated:
    """Weigh votes by each annotator's confusion matrix (Dawid and Skene 1979, Appl. Statist. 28, 20-28; crowd-kit)."""
    counted = [vote for vote in votes if vote.counts]
    if not counted:
        return Aggregated({}, {})
    with _quiet():
        from crowdkit.aggregation.classification.dawid_skene import DawidSkene

        model = DawidSkene(n_iter=100).fit(_frame(counted))
    errors, priors = model.errors_, model.priors_
    accuracy: dict[str, float] = defaultdict(float)
    for (annotator, said), row in errors.iterrows():
        accuracy[annotator] += float(priors[said] * row[said])
    return Aggregated(_rows(model.probas_), dict(accuracy))


def mace(votes: Sequence[Vote]) -> Aggregated:
    """Weigh votes by each annotator's competence (Hovy et al. 2013, MACE, NAACL-HLT 1120-1130; crowd-kit)."""
    counted = [vote for vote in votes if vote.counts]
    if len({vote.choice for vote in counted}) < 2:  # one label only: nothing to tell guessing from knowing
        return Aggregated({vote.item_id: {str(vote.choice): 1.0} for vote in counted}, {})
    frame = _frame(counted)
    with _quiet():
        from crowdkit.aggregation.classification.mace import MACE

        # crowd-kit starts each restart from the same seed: more than one only repeats it.
        model = MACE(n_restarts=1, n_iter=50).fit(frame)
    names = list(dict.fromkeys(frame["worker"]))
    return Aggregated(_rows(model.probas_), dict(zip(names, map(float, model.spamming_[:, 1]), strict=True)))


def bradley_terry(items: Sequence[Item], votes: Sequence[Vote]) -> dict[str, Skill]:
    """Fit the Bradley-Terry model with annotator skill and habit to the A/B votes whose shown side is known.

    P(first is clicked) = skill * s(first - second) + (1 - skill) * habit, with s the logistic function, a score for
    each text under its prompt (so rankings share scores), and weak priors: scores normal with deviation 2, skill and
    habit Beta(3, 3) on their logits. After Chen et al. 2013 (Crowd-BT, WSDM 193-202).

    crowd-kit 1.4.2's NoisyBradleyTerry is the same model, but its gradient writes the annotators' part one place too
    early, and a pure left-clicker then looks skilled.
    """
    import numpy as np
    from scipy.optimize import minimize
    from scipy.special import expit

    by_id = {item.id: item for item in items}
    used = [v for v in votes if v.counts and v.choice in ("A", "B") and v.left and v.item_id in by_id]
    texts, people = _numbers(_shown(by_id, used)), _numbers(vote.annotator for vote in used)
    if not used:
        return {}
    shown = np.array([texts[key] for key in _shown(by_id, used)]).reshape(-1, 2)
    who = np.array([people[vote.annotator] for vote in used])
    sign = np.array([1.0 if vote.choice == vote.left else -1.0 for vote in used])

    def loss(x: Any) -> tuple[float, Any]:
        scores, skill_at, habit_at = np.split(x, [len(texts), len(texts) + len(people)])
        skill, habit = expit(skill_at), expit(habit_at)
        careful = expit(sign * (scores[shown[:, 0]] - scores[shown[:, 1]]))
        blind = np.where(sign > 0, habit[who], 1 - habit[who])
        chance = skill[who] * careful + (1 - skill[who]) * blind
        value = -np.log(chance).sum() + (scores**2).sum() / 8
        value -= (np.log(skill * (1 - skill)) + np.log(habit * (1 - habit))).sum() * 2
        slope = -skill[who] * careful * (1 - careful) * sign / chance
        score_slope = scores / 4
        np.add.at(score_slope, shown[:, 0], slope)
        np.add.at(score_slope, shown[:, 1], -slope)
        of_skill = -(careful - blind) / chance * (skill * (1 - skill))[who]
        of_habit = -(1 - skill[who]) * sign / chance * (habit * (1 - habit))[who]
        skill_slope = np.bincount(who, of_skill, len(people)) - 2 * (1 - 2 * skill)
        habit_slope = np.bincount(who, of_habit, len(people)) - 2 * (1 - 2 * habit)
        return float(value), np.concatenate([score_slope, skill_slope, habit_slope])

    start = np.concatenate([np.zeros(len(texts)), np.full(len(people), 1.0), np.zeros(len(people))])
    start[shown[:, 0]] += 0.1 * sign
    fitted = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    skills, habits = np.split(expit(fitted[len(texts) :]), 2)
    return {name: Skill(float(skills[at]), float(habits[at])) for name, at in people.items()}


def _shown(items: Mapping[str, Item], votes: Sequence[Vote]) -> Iterator[tuple[str, str]]:
    """Yield what each vote compares, first shown first, two a vote."""
    for vote in votes:
        item = items[vote.item_id]
        assert vote.left is not None
        yield item.prompt_id, response(item, vote.left)
        yield item.prompt_id, response(item, other(vote.left))


def _numbers(keys: Iterator[Any]) -> dict[Any, int]:
    return {key: number for number, key in enumerate(dict.fromkeys(keys))}


def _counted(votes: Sequence[Vote]) -> dict[str, list[Vote]]:
    by_item: dict[str, list[Vote]] = {}
    for vote in votes:
        if vote.counts:
            by_item.setdefault(vote.item_id, []).append(vote)
    return by_item


def _frame(votes: Sequence[Vote]) -> Any:
    import pandas

    ordered = sorted(votes, key=lambda vote: (vote.item_id, vote.annotator, vote.id))
    rows = [(vote.item_id, vote.annotator, str(vote.choice)) for vote in ordered]
    return pandas.DataFrame(rows, columns=["task", "worker", "label"])


def _rows(frame: Any) -> dict[str, dict[str, float]]:
    names = [str(name) for name in frame.columns]
    rows = zip(frame.index, frame.to_numpy(), strict=True)
    return {str(key): dict(zip(names, map(float, values), strict=True)) for key, values in rows}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep crowd-kit's advice about future pandas versions out of the terminal."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
