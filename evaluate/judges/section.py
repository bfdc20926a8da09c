"""Ratings and criteria as sentences and as a piece of the report's page."""

from ..estimate import Estimate
from ..fragments import change, render_fragment, share
from ..mt_bench.verdicts import HIGHEST, LOWEST
from .measure import Rubric, RubricLine

SCALE = HIGHEST - LOWEST


def section(found: Rubric) -> str:
    """Return the result as HTML that stands in any page."""
    return render_fragment(
        "prefloop.evaluate.judges", found=found, words=words(found), value=value_words, change_of=change_words
    )


def words(found: Rubric) -> tuple[str, ...]:
    """Say of each rubric and criterion which model does better, and how many verdicts couldn't be read."""
    said = []
    for line in found.lines:
        what = "By the rubric" if line.kind == "rating" else f"“{line.what}”"
        lost = f"; {len(line.unscored)} prompts unscored" if line.unscored else ""
        if line.comparison is None:
            said.append(f"{what}: {found.judge} gave no readable verdict{lost}.")
            continue
        verdict = line.comparison.verdict
        said.append(
            f"{what} the tuned model is {'better' if verdict == 'better' else verdict}: base "
            f"{value_words(line, line.comparison.base)}, tuned {value_words(line, line.comparison.tuned)}, "
            f"difference {change_words(line)}, by {found.judge} on {line.comparison.base.n} prompts{lost}."
            if verdict != "can't tell yet"
            else f"{what} one can't tell yet: difference {change_words(line)}, by {found.judge} on "
            f"{line.comparison.base.n} prompts{lost}."
        )
    return tuple(said)


def value_words(line: RubricLine, estimate: Estimate) -> str:
    """Write a share in per cent, or a rating from 1 to 10, with its interval."""
    if line.kind == "criterion":
        return share(estimate)
    value, low, high = (LOWEST + SCALE * end for end in (estimate.value, estimate.low, estimate.high))
    return f"{value:.2f} ({low:.2f} to {high:.2f})"


def change_words(line: RubricLine) -> str:
    """Write the difference in points, of per cent or of the scale, with its interval."""
    if line.comparison is None:
        return "none"
    found = line.comparison.difference
    if line.kind == "criterion":
        return change(found)
    value, low, high = (SCALE * end for end in (found.value, found.low, found.high))
    return f"{value:+.2f} ({low:+.2f} to {high:+.2f})"
