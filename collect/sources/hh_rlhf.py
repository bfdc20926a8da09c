r"""Anthropic's HH-RLHF: two transcripts that share all but the last reply, the chosen one first (arXiv 2204.05862).

Read as in github.com/anthropics/hh-rlhf at 354e5c3: `chosen` and `rejected` are transcripts in which "\n\nHuman:" and
"\n\nAssistant:" open the turns. Of harmless-base/test's 2,312 pairs, 5 differ before the last reply and 4 end with
an empty one: they are refused.
"""

import re
from itertools import pairwise

from ...runs import Progress, silent
from ..item import Item, Message, Role
from ..vote import Vote
from .fields import blind, text, well_formed
from .imported import About, Imported, Options, Refused, Row, Taken, gather, vote_id, written_by
from .reading import read_rows

ABOUT = About(
    "hh-rlhf",
    "hh-rlhf",
    "one crowd worker chose the more helpful, or the less harmful, of two replies; the strength asked for is not in it",
    "MIT",
    "much of the text is offensive: it was made to study harm, and is not meant for training chat models unfiltered",
)
TURN = re.compile(r"\n\n(Human|Assistant):")
SPEAKERS: dict[str, Role] = {"Human": "user", "Assistant": "assistant"}
SAME_SPEAKER = "two turns of the same speaker follow one another"


def import_hh_rlhf(place: str, options: Options, *, progress: Progress = silent) -> Imported:
    """Import HH-RLHF. Raises UserError where the file can't be read."""
    return gather(ABOUT, read_rows(place, options), options, take_row, progress=progress)


def take_row(row_id: str, row: Row) -> Taken:
    """Turn one row into an item and the worker's vote."""
    (prompt, good), (other_prompt, bad) = (_transcript(text(row, column), column) for column in ("chosen", "rejected"))
    if prompt != other_prompt:
        raise Refused("the two transcripts differ before the last reply")
    a, b, side = blind(good, bad)
    origin = written_by(None, ABOUT.name, row_id)
    item = well_formed(Item(prompt, a, b, origin, origin))
    twice = any(one.role == next_one.role for one, next_one in pairwise(prompt)) or prompt[-1].role == "assistant"
    vote = Vote(item.id, "hh-rlhf-crowd", side, None, id=vote_id(ABOUT.name, row_id))
    return Taken((item,), (vote,), (SAME_SPEAKER,) if twice else ())


def _transcript(written: str, what: str) -> tuple[tuple[Message, ...], str]:
    before, *parts = TURN.split(written)
    if not parts or before.strip():
        raise Refused(f"{what} is no transcript: it does not open with a turn of Human")
    turns = [Message(SPEAKERS[speaker], said.strip()) for speaker, said in zip(parts[::2], parts[1::2], strict=True)]
    if turns[0].role != "user":
        raise Refused(f"{what} is no transcript: it does not open with a turn of Human")
    if turns[-1].role != "assistant":
        raise Refused(f"{what} does not end with a reply of Assistant")
    if not turns[-1].content:
        raise Refused(f"{what} ends with an empty reply")
    return tuple(turns[:-1]), turns[-1].content
