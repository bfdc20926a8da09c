"""From differences to words: better, worse, not worse by more than a margin, or can't tell yet and what would tell.

"Not worse by more than the margin" holds where the whole two-sided interval lies above it, which at 95% is a one-sided
test at 2.5% (Piaggio et al. 2012, JAMA 308, 2594-2604). Where several differences are looked at, "better" and "worse"
are corrected by Holm's method (1979), because the more one looks, the more one finds. "Not worse" is not corrected:
where all of them must hold, a loss beyond the margin gets past no more often than past one test alone (Berger 1982,
Technometrics 24, 295-300). Whoever picks those that hold needs a higher confidence instead.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil, inf
from statistics import NormalDist
from typing import Literal

from ...collect.intervals import holm
from .means import Difference
from .power import minimum_detectable_effect

Verdict = Literal["better", "worse", "not worse by more than the margin", "can't tell yet"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What a difference lets one say, with the interval it rests on."""

    verdict: Verdict
    difference: Difference
    p: float
    """Of the difference, corrected for the comparisons."""
    comparisons: int
    margin: float | None
    within_margin: bool | None
    """Whether a loss of more than the margin is excluded; it can be while `verdict` is worse. None without a margin."""
    more_items: int | None
    """How many more would tell, if the difference seen is the true one; None when it is told, or no number would."""


def decide(
    difference: Difference, margin: float | None = None, *, p: float | None = None, comparisons: int = 1
) -> Decision:
    """Say what a difference (ours minus theirs, higher is better) lets one say.

    Args:
        difference: Its confidence is that of the decision.
        margin: The loss that would not matter, in units of the score, fixed before anyone looked. None: none is known.
        p: Of the difference, where it was corrected for others beside it; its own if None.
        comparisons: How many it was corrected for.

    Raises:
        ValueError: the margin is not above 0, or there is no comparison.
    """
    if margin is not None and margin <= 0:
        raise ValueError(f"a margin is the loss that would not matter, above 0: got {margin}")
    if comparisons < 1:
        raise ValueError(f"at least one comparison is needed, got {comparisons}")
    chance = difference.p if p is None else p
    shown = chance < 1 - difference.confidence
    within = None if margin is None else difference.low > -margin
    verdict: Verdict = "can't tell yet"
    if shown and difference.low > 0:
        verdict = "better"
    elif shown and difference.high < 0:
        verdict = "worse"
    elif within:
        verdict = "not worse by more than the margin"
    more = _more_items(difference, margin, comparisons) if verdict == "can't tell yet" else None
    return Decision(verdict, difference, chance, comparisons, margin, within, more)


def decide_all(differences: Mapping[str, Difference], margin: float | None = None) -> dict[str, Decision]:
    """Decide on several differences at once, under the same names, "better" and "worse" corrected by Holm's method.

    Raises:
        ValueError: the margin is not above 0.
    """
    adjusted = holm([difference.p for difference in differences.values()])
    return {
        name: decide(difference, margin, p=p, comparisons=len(differences))
        for (name, difference), p in zip(differences.items(), adjusted, strict=True)
    }


def say(decision: Decision, *, scale: float = 100, unit: str = "points") -> str:
    """Say a decision in a sentence or two.

    Args:
        decision: By `decide` or `decide_all`.
        scale: What differences are multiplied by: 100 turns shares into percentage points, 1 leaves ratings alone.
        unit: What they are then.
    """
    found = decision.difference
    value, low, high = (_signed(scale * number) for number in (found.value, found.low, found.high))
    seen = f"{value} {unit} (interval {low} to {high})"
    margin = f"{scale * (decision.margin or 0):.3g} {unit}"
    if decision.verdict == "can't tell yet":
        return f"Can't tell yet: {seen}. {_outlook(decision)}"
    if decision.verdict == "not worse by more than the margin":
        return f"Not worse by more than {margin}: {seen}."
    but = f" Not by more than the margin of {margin}." if decision.verdict == "worse" and decision.within_margin else ""
    corrected = f" after correction for {decision.comparisons} comparisons" * (decision.comparisons > 1)
    chance = "less than 1 case in 1,000" if decision.p < 0.001 else f"about {round(1000 * decision.p)} in 1,000 cases"
    return f"{decision.verdict.capitalize()}: {seen}; chance alone would do this in {chance}{corrected}.{but}"


def _outlook(decision: Decision) -> str:
    if decision.more_items is not None:
        return f"If that is the true difference, about {_rounded(decision.more_items):,} more items would tell."
    if decision.difference.standard_error == inf:
        return "One item or cluster says nothing about chance."
    if decision.difference.value:
        return "If that is the true difference, no number of items alone would tell: more seeds would."
    return "If there is no difference, no number of items would show one."


def _rounded(count: int) -> int:
    """Round up to two digits: nobody knows it better."""
    step = int(10 ** max(0, len(str(count)) - 2))
    return ceil(count / step) * step


def _signed(number: float) -> str:
    return f"{number:+.1f}".replace("-", "\N{MINUS SIGN}")


def _more_items(found: Difference, margin: float | None, comparisons: int) -> int | None:
    wanted = min(_wanted(found, margin, comparisons), default=None)
    return None if wanted is None else max(1, wanted - found.n)


def _wanted(found: Difference, margin: float | None, comparisons: int) -> Iterator[int]:
    """Count the items that would show the difference seen, and those that would exclude a loss beyond the margin.

    Bonferroni's bound stands for Holm's correction.
    """
    alpha = 1 - found.confidence
    if found.corrected_error == inf:
        return
    if found.corrected_error:
        yield from _items(found.value, found, alpha / comparisons)
        if margin is not None and found.value > -margin:
            yield from _items(found.value + margin, found, alpha)
    elif margin is not None and not found.value:
        # Nothing changed: until Wilson's upper limit for the share that could, z² / (n + z²), is below the margin.
        z = NormalDist().inv_cdf((1 + found.confidence) / 2)
        yield ceil(z**2 * (1 - margin) / margin * found.n / found.clusters) + 1


def _items(effect: float, found: Difference, alpha: float) -> Iterator[int]:
    """Count the items that show `effect` (Miller 2024, eq. 9), if any number does: what seeds change stays."""
    variance = found.n * (found.corrected_error**2 - found.seed_variance)
    count, before = found.n, 0
    for _ in range(10):
        # Degrees of freedom grow with the items, and fewer are needed then; a few seeds' stay.
        freedom = found.freedom if found.seed_variance else max(1.0, found.freedom * count / found.n)
        room = (effect / minimum_detectable_effect(1, 1.0, alpha=alpha, freedom=freedom)) ** 2 - found.seed_variance
        if room <= 0:
            return
        before, count = count, ceil(variance / room)
        if count == before:
            break
    yield count
