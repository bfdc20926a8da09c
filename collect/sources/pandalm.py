"""PandaLM's test set: 999 pairs of answers, three people's votes each (arXiv 2306.05087).

Read as in github.com/WeOpenML/PandaLM, data/testset-v1.json at 3871806: `annotator1..3` are 1, 2 (the better response)
or 0 (tie), `cmp_key` names the two models. Six responses are JSON booleans; what the models wrote was the word.
"""

from ...runs import Progress, silent
from ..item import Item, Message
from ..vote import Choice, Vote
from .fields import checked_text, maybe_text, text, value, well_formed
from .imported import About, Imported, Options, Refused, Row, Taken, distinct, gather, vote_id, written_by
from .reading import read_rows

ABOUT = About(
    "pandalm",
    "pandalm-testset-v1",
    "three people each chose the better of two answers to an instruction, or a tie",
    "Apache-2.0",
    "the instructions are those of Self-Instruct's user-oriented tasks",
)
CHOICES: dict[int, Choice] = {0: "tie", 1: "A", 2: "B"}
PEOPLE = (1, 2, 3)
BOOLEAN = "a response that is a boolean was taken as its word"
NOTHING = "a response is empty: the model wrote nothing"


def import_pandalm(place: str, options: Options, *, progress: Progress = silent) -> Imported:
    """Import PandaLM's test set. Raises UserError where the file can't be read."""
    return gather(ABOUT, read_rows(place, options), options, take_row, progress=progress)


def take_row(row_id: str, row: Row) -> Taken:
    """Turn one row into an item and three votes."""
    told = [part for part in (maybe_text(row, "instruction"), maybe_text(row, "input")) if part]
    if not told:
        raise Refused("instruction and input are empty")
    responses, notes = zip(*(_response(row, f"response{number}") for number in (1, 2)), strict=True)
    models = text(row, "cmp_key").split("_")
    if len(models) != 2:
        raise Refused("cmp_key does not name two models")
    origins = [written_by(model, ABOUT.name, row_id) for model in models]
    item = well_formed(Item((Message("user", "\n\n".join(told)),), *responses, *origins))
    votes = [
        Vote(item.id, f"pandalm-{person}", _choice(row, person), None, id=vote_id(ABOUT.name, row_id, person))
        for person in PEOPLE
    ]
    return Taken((item,), tuple(votes), distinct(note for note in notes if note))


def _response(row: Row, column: str) -> tuple[str, str]:
    found = value(row, column)
    if isinstance(found, bool):
        return str(found), BOOLEAN
    written = checked_text(found, column, blank=True)
    return written, "" if written.strip() else NOTHING


def _choice(row: Row, person: int) -> Choice:
    found = value(row, f"annotator{person}")
    if isinstance(found, bool) or not isinstance(found, int) or found not in CHOICES:
        raise Refused(f"annotator{person} is none of 0, 1 and 2")
    return CHOICES[found]
