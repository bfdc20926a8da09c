r"""What a judge's text says: FastChat's reading, and a strict one that a quotation can't mislead.

FastChat takes the first `[[…]]` anywhere in the judge's text, and a single bracket when there is none. A judge that
quotes `a[0]` or an answer's own `[[10]]` before it decides is therefore misread. The functions `parse_…` do exactly
that, for numbers that can be compared with published ones; `last_…` read the judge's last verdict and nothing else.
"""

import ast
import re
from typing import Literal

PairVerdict = Literal["A", "B", "tie"]
"""By position: A is the answer that was shown first."""
Winner = Literal["model_1", "model_2", "tie"]
"""By model: model_1 is shown first in game 1 and second in game 2."""

NUMBER = r"(\d+\.?\d*)"
RATING = re.compile(rf"\[\[{NUMBER}\]\]")
SINGLE_BRACKET_RATING = re.compile(rf"\[{NUMBER}\]")
SCORE_PAIR = re.compile(rf"\[\[{NUMBER},\s?{NUMBER}\]\]")
SINGLE_BRACKET_SCORE_PAIR = re.compile(rf"\[{NUMBER},\s?{NUMBER}\]")

PAIR = re.compile(r"\[\[([ABC])\]\]")

TIE_DELTA = 0.1
"""Two ratings in one text that are no further apart are a tie."""
LOWEST, HIGHEST = 1.0, 10.0
"""The scale that the judge is asked for."""


def parse_rating(text: str) -> float | None:
    """Read a rating as FastChat does: the first `[[7]]` or `[[7.5]]`, else the first `[7]`.

    Ratings off the scale of 1 to 10 are returned as they are, as there. None where there is no rating, or where
    FastChat stops with an error (`[[05]]`): such a judgment is unscored, never 0.
    """
    found = RATING.search(text) or SINGLE_BRACKET_RATING.search(text)
    return _number(found[1]) if found else None


def parse_pair_verdict(text: str) -> PairVerdict | None:
    """Read a verdict as FastChat does: `[[A]]` anywhere, else `[[B]]` anywhere, else `[[C]]`, which is a tie.

    None where there is none of them.
    """
    if "[[A]]" in text:
        return "A"
    if "[[B]]" in text:
        return "B"
    return "tie" if "[[C]]" in text else None


def parse_score_pair(text: str) -> PairVerdict | None:
    """Read two ratings, `[[7, 8.5]]`, as FastChat does for prompts that ask for `[[rating_a,rating_b]]`.

    Ratings at most `TIE_DELTA` apart, in floating point, are a tie. None where there are no two ratings.
    """
    found = SCORE_PAIR.search(text) or SINGLE_BRACKET_SCORE_PAIR.search(text)
    if found is None:
        return None
    a, b = _number(found[1]), _number(found[2])
    if a is None or b is None:
        return None
    if abs(a - b) <= TIE_DELTA:
        return "tie"
    return "A" if a > b else "B"


def combine_two_games(first: PairVerdict | None, second: PairVerdict | None) -> Winner | None:
    """Combine the verdicts of two games about the same answers with the positions swapped.

    A tie if the first game is a tie or the games disagree, so that a win against a tie is a tie as well
    (FastChat `show_result.py`).

    Args:
        first: The verdict by position of the game that showed model_1 first; None where it can't be read.
        second: The verdict by position of the game that showed model_2 first.

    Returns:
        None where either verdict can't be read: unscored, as FastChat leaves such a row out.
    """
    if first is None or second is None:
        return None
    if first == "A" and second == "B":
        return "model_1"
    if first == "B" and second == "A":
        return "model_2"
    return "tie"


def last_rating(text: str) -> float | None:
    """Read the judge's last `[[rating]]`; None where there is none or where it is off the scale of 1 to 10.

    Single brackets are not read: `a[5]` is code and `[5]` a footnote more often than a rating.
    """
    found = RATING.findall(text)
    rating = _number(found[-1]) if found else None
    return rating if rating is not None and LOWEST <= rating <= HIGHEST else None


def last_pair_verdict(text: str) -> PairVerdict | None:
    """Read the judge's last `[[A]]`, `[[B]]` or `[[C]]`, which is a tie; None where there is none."""
    found = PAIR.findall(text)
    last: dict[str, PairVerdict] = {"A": "A", "B": "B", "C": "tie"}
    return last[found[-1]] if found else None


def _number(digits: str) -> float | None:
    # The same function as FastChat, whose errors (a leading zero, digits of another script) are unscored here.
    try:
        return float(ast.literal_eval(digits))
    except (SyntaxError, ValueError, OverflowError):
        return None
