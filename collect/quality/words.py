"""The report's verdict and advice in words that need no statistics."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..intervals import Figure

if TYPE_CHECKING:
    from .report import Dispute, Finding, Verdict

ENOUGH = 30
"""Items with two votes or more under which agreement is not judged."""
HARDLY = 0.2
"""Krippendorff's alpha under which a label says little about the next annotator's."""
HEADLINES = {
    "yes": "Yes, you can train on this",
    "almost": "Almost: a word first",
    "no": "Not yet: people hardly agree",
    "too few": "Too few votes to say",
}


def percent(value: float) -> str:
    """Write a share as whole per cent."""
    return f"{100 * value:.0f}%"


def points(value: float) -> str:
    """Write a difference of shares in percentage points."""
    return f"{100 * value:.0f}"


def judge(alpha: Figure | None, rated_twice: int, findings: "Sequence[Finding]") -> "Verdict":
    """Say whether the votes are good enough to train on.

    Preference labels never agree as facts do: trained annotators agree in 63 to 77% of pairs (arXiv:2203.02155,
    2204.05862, 2305.14387), so the bar is agreement that is clearly beyond chance, not Krippendorff's 0.8.
    """
    if alpha is None or rated_twice < ENOUGH:
        return "too few"
    if alpha.low <= 0 or alpha.high < HARDLY:
        return "no"
    return "almost" if any(found.annotator for found in findings) else "yes"


def summarise(verdict: "Verdict", measures: Mapping[str, Any], pairs: int, findings: "Sequence[Finding]") -> str:
    """Say in a few sentences what the verdict rests on."""
    twice, pairwise, alpha = measures["rated_twice"], measures["pairwise"], measures["alpha"]
    if pairwise is None:
        return (
            f"No item has two votes, so nothing is known about agreement; {pairs} pairs came out. Let people overlap."
        )
    if verdict == "too few":
        return (
            f"{twice} items have two votes or more, and {ENOUGH} are the least to judge agreement by; "
            f"{pairs} pairs came out."
        )
    found = (
        f"On {twice} items with at least two votes, two people agree in {_range(pairwise)}"
        + (f" (Krippendorff's alpha {alpha.value:.2f}, {alpha.low:.2f} to {alpha.high:.2f})" if alpha else "")
        + f"; {pairs} pairs came out."
    )
    named = sorted({row.annotator for row in findings if row.annotator})
    if verdict == "no":
        return f"{found} That is close to chance: the guidelines, the task or the people need work before training."
    if verdict == "almost":
        return f"{found} But the votes of {_and(named)} stand out; see below what to ask."
    return f"{found} Nobody's votes stand out by more than chance."


def advise(findings: "Sequence[Finding]", disputes: "Sequence[Dispute]") -> tuple[str, ...]:
    """List what to do first."""
    named = sorted({row.annotator for row in findings if row.annotator})
    of_name = {name: "; ".join(row.words for row in findings if row.annotator == name) for name in named}
    advice = [f"Talk to {name}, who {words}" for name, words in of_name.items()]
    advice += [row.words for row in findings if row.annotator is None]
    if disputes:
        many = f"the first {min(20, len(disputes))} of {len(disputes)}" if len(disputes) > 1 else "the one"
        advice.append(
            f"Adjudicate {many} disputed items with “prefloop collect adjudicate”: they are the least certain"
        )
    return tuple(f"{line}." for line in advice)


def _range(figure: Figure) -> str:
    return f"{percent(figure.value)} ({percent(figure.low)} to {percent(figure.high)})"


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""
