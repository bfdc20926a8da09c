"""LLMBar: 419 pairs of which one output objectively follows the instruction better (arXiv 2310.07641).

Read as in github.com/princeton-nlp/LLMBar, Dataset/LLMBar/*/dataset.json at 900616b: `input`, `output_1`, `output_2`,
and `label` 1 or 2; a field `subset`, where present, becomes a tag.
"""

from ...runs import Progress, silent
from ..item import Item, Message
from ..vote import Vote
from .fields import maybe_text, text, well_formed, whole
from .imported import About, Imported, Options, Refused, Row, Taken, gather, vote_id, written_by
from .reading import read_rows

ABOUT = About(
    "llmbar",
    "llmbar",
    "the data set's authors agreed on one objectively better output; not single people's votes",
    "MIT",
    "a benchmark of judges: do not train on it and then report it",
)


def import_llmbar(place: str, options: Options, *, progress: Progress = silent) -> Imported:
    """Import LLMBar. Raises UserError where the file can't be read."""
    return gather(ABOUT, read_rows(place, options), options, take_row, progress=progress)


def take_row(row_id: str, row: Row) -> Taken:
    """Turn one row into an item and the authors' label."""
    label = whole(row, "label", 1, 2)
    if label is None:
        raise Refused("label is missing")
    subset = maybe_text(row, "subset")
    origin = written_by(None, ABOUT.name, f"{subset}:{row_id}" if subset else row_id)
    prompt = (Message("user", text(row, "input")),)
    item = well_formed(
        Item(prompt, text(row, "output_1"), text(row, "output_2"), origin, origin, (subset,) if subset else ())
    )
    vote = Vote(item.id, "llmbar-authors", "A" if label == 1 else "B", None, id=vote_id(ABOUT.name, row_id))
    return Taken((item,), (vote,))
