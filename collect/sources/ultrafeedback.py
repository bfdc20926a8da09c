"""UltraFeedback, as published and binarised: answers rated by GPT-4, made into pairs (arXiv 2310.01377).

Ratings are not rankings: pairs made from ratings disagree substantially with pairs that were asked for (arXiv
2308.15812), so the protocol says what these are.

Original, read as described in github.com/OpenBMB/UltraFeedback at 16d7132 (README.md, "Dataset Format"): `instruction`,
and `completions` with `model`, `response`, `annotations` of four aspects (`Rating` "1".."5" or "N/A"), and in the data
set on the Hub also `overall_score` and `critique`. The first release wrote `overall_score` as
`score if score > 1 else 10*score`, which made the worst score the best (issue #8); here the mean of the four aspects
decides instead, as in Argilla's rebuild, and `overall_score` nothing.

Binarised, read as in huggingface.co/datasets/HuggingFaceH4/ultrafeedback_binarized: `prompt`, `chosen` and `rejected`
(lists of messages), `score_chosen`, `score_rejected`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import mean
from typing import Any

from ...runs import Progress, silent
from ..item import Item, Message
from ..sides import other
from ..vote import Vote
from .fields import blind, checked_text, conversation, last_answer, maybe_text, text, value, well_formed
from .imported import About, Imported, Options, Refused, Row, Taken, distinct, gather, vote_id, written_by
from .reading import read_rows

ABOUT = About(
    "ultrafeedback",
    "openbmb/UltraFeedback",
    "GPT-4 rated each answer alone on four aspects, 1 to 5; the pair was made here from the aspects' means: the best "
    "answer against one of the lower ones, drawn by hash",
    "MIT",
    "holds TruthfulQA's questions: do not report TruthfulQA after training on it; GPT-4's terms bind its ratings' use",
)
BINARISED = About(
    "ultrafeedback-binarized",
    "HuggingFaceH4/ultrafeedback_binarized",
    "GPT-4 rated each answer alone; the pair was made by the data set's authors: the best against a random other one",
    "MIT",
    ABOUT.licence_note,
)
ASPECTS = ("instruction_following", "honesty", "truthfulness", "helpfulness")
JUDGE = "gpt-4"
UNRATED = "a completion without all four ratings was left out"
UNFIT = "a completion without text was left out"
SCORE_BUG = "overall_score 10 beside aspect ratings of 4 or less on average: the known bug; the aspects were used"
PERHAPS_BUG = "a score of 10: perhaps the known bug, the file has no aspect ratings to tell"


@dataclass(frozen=True, slots=True)
class _Rated:
    model: str | None
    response: str
    ratings: dict[str, int]
    critique: str | None

    @property
    def mean(self) -> float:
        return mean(self.ratings.values())


def import_ultrafeedback(place: str, options: Options, *, progress: Progress = silent) -> Imported:
    """Import UltraFeedback as published. Raises UserError where the file can't be read."""
    return gather(ABOUT, read_rows(place, options), options, take_row, progress=progress)


def import_binarised(place: str, options: Options, *, progress: Progress = silent) -> Imported:
    """Import binarised UltraFeedback. Raises UserError where the file can't be read."""
    return gather(BINARISED, read_rows(place, options), options, take_binarised, progress=progress)


def take_row(row_id: str, row: Row) -> Taken:
    """Turn one prompt with its rated completions into one pair."""
    instruction, completions = text(row, "instruction"), value(row, "completions")
    if not isinstance(completions, list | tuple):
        raise Refused("completions is not a list")
    found = [_rated(completion) for completion in completions]
    rated = [completion for completion, _ in found if completion is not None]
    if len(rated) < 2:
        raise Refused("fewer than two completions have all four ratings")
    best = max(completion.mean for completion in rated)
    top = [completion for completion in rated if completion.mean == best]
    lower = [completion for completion in rated if completion.mean < best]
    if not lower:
        raise Refused("all completions are rated alike")
    good, bad = _draw(top, instruction), _draw(lower, instruction)
    a, b, side = blind(good.response, bad.response)
    origins = [written_by(completion.model, ABOUT.name, row_id) for completion in (good, bad)]
    first, second = reversed(origins) if side == "B" else origins
    tags = tuple(tag for tag in (maybe_text(row, "source"),) if tag)
    item = well_formed(Item((Message("user", instruction),), a, b, first, second, tags))
    vote = Vote(
        item.id,
        JUDGE,
        side,
        None,
        ratings={side: good.ratings, other(side): bad.ratings},
        critique=good.critique,
        id=vote_id(ABOUT.name, row_id),
    )
    return Taken((item,), (vote,), distinct(note for _, note in found if note))


def take_binarised(row_id: str, row: Row) -> Taken:
    """Turn one binarised row into an item and its vote."""
    (prompt, good), (other_prompt, bad) = (
        last_answer(conversation(value(row, column), column), column) for column in ("chosen", "rejected")
    )
    if prompt != other_prompt:
        raise Refused("the two conversations differ before the last answer")
    scores = [_score(value(row, f"score_{column}"), f"score_{column}") for column in ("chosen", "rejected")]
    if scores[0] == scores[1]:
        raise Refused("a tie: both answers have the same score")
    if scores[0] < scores[1]:
        raise Refused("the rejected answer has the higher score")
    a, b, side = blind(checked_text(good, "chosen"), checked_text(bad, "rejected"))
    origin = written_by(None, BINARISED.name, row_id)
    before = prompt or conversation(value(row, "prompt"), "prompt")
    item = well_formed(Item(before, a, b, origin, origin))
    vote = Vote(item.id, JUDGE, side, None, id=vote_id(BINARISED.name, row_id))
    return Taken((item,), (vote,), (PERHAPS_BUG,) if 10 in scores else ())


def _rated(completion: Any) -> tuple[_Rated | None, str]:
    """Return a completion that can stand in a pair, with what is to be noted about it."""
    if not isinstance(completion, Mapping):
        return None, UNFIT
    try:
        response, model = text(completion, "response"), maybe_text(completion, "model")
        critique = maybe_text(completion, "critique")
    except Refused:
        return None, UNFIT
    ratings = {aspect: _rating(value(completion, f"annotations.{aspect}.Rating")) for aspect in ASPECTS}
    whole = {aspect: rating for aspect, rating in ratings.items() if rating is not None}
    if len(whole) < len(ASPECTS):
        return None, UNRATED
    rated = _Rated(model, response, whole, critique)
    buggy = completion.get("overall_score") in (10, "10", "10.0") and rated.mean <= 4
    return rated, SCORE_BUG if buggy else ""


def _rating(found: Any) -> int | None:
    return int(found) if str(found) in ("1", "2", "3", "4", "5") else None


def _score(found: Any, what: str) -> float:
    if isinstance(found, bool) or not isinstance(found, int | float) or found != found:
        raise Refused(f"{what} is not a number")
    return found


def _draw(rows: list[_Rated], seed: str) -> _Rated:
    return min(rows, key=lambda row: hashlib.sha256(f"{seed}\0{row.response}".encode()).digest())
