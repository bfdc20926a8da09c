"""The texts and votes behind a release: a data set folder's rows, or the files of the run on this machine."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...collect import Candidate, Item, Message, Origin, PreferencePair, Vote, read_items, read_pairs, read_votes
from ...collect.export import pseudonym
from ...collect.sides import read_side_key
from ...errors import UserError
from ...runs import read_json, read_lines


class NoDataSet(UserError):
    """A folder that should be a data set of prefloop's, and is none."""


@dataclass(frozen=True, slots=True)
class Texts:
    """What the hashes are computed from."""

    place: str
    """Where it was read, for a sentence."""
    folder: Path
    pairs: tuple[PreferencePair, ...]
    pair_ids: tuple[str, ...]
    """The ids that stand beside the pairs, in their order; a pair's own `id` is computed from its texts."""
    items: tuple[Item, ...] | None
    item_ids: tuple[str, ...]
    """Likewise."""
    votes: tuple[Vote, ...] | None
    """Annotators by pseudonym."""
    lineage: Mapping[str, Any] | None
    """The data set's lineage.json; None of a run."""
    told: Mapping[str, Mapping[str, Any]]
    """What else the data set says of a pair, by its row's id: `prompt_id`."""

    @property
    def whole(self) -> bool:
        """Whether sealed prompts are among it, as they are in a run."""
        return self.lineage is None


def read_data_set(folder: Path, place: str) -> Texts:
    """Read a data set folder of prefloop's.

    Raises:
        NoDataSet: it is none, or its rows are not of the form that prefloop writes.
    """
    if not (folder / "lineage.json").exists() or not (folder / "pairs.jsonl").exists():
        raise NoDataSet(f"{place} is no data set of prefloop's: it has no lineage.json or no pairs.jsonl")
    try:
        pairs = _rows(folder / "pairs.jsonl")
        items = _rows(folder / "items.jsonl") if (folder / "items.jsonl").exists() else None
        votes = _rows(folder / "votes.jsonl") if (folder / "votes.jsonl").exists() else None
        return Texts(
            place,
            folder,
            tuple(map(_pair, pairs)),
            tuple(str(row["id"]) for row in pairs),
            tuple(map(_item, items)) if items is not None else None,
            tuple(str(row["id"]) for row in items or ()),
            tuple(map(_vote, votes)) if votes is not None else None,
            read_json(folder / "lineage.json"),
            {str(row["id"]): {"prompt_id": row["prompt_id"]} for row in pairs},
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise NoDataSet(f"{place} has rows that are not of the form that prefloop writes ({error!r})") from error


def read_run_texts(run: Path) -> Texts | None:
    """Read what a run collected; None where its files are gone."""
    folder = run / "collect"
    if not all((folder / name).exists() for name in ("items.jsonl", "votes.jsonl", "pairs.jsonl")):
        return None
    pairs = read_pairs(folder / "pairs.jsonl")
    for more in ("sealed_pairs.jsonl", "ties.jsonl"):
        pairs += read_pairs(folder / more) if (folder / more).exists() else []
    items, votes = read_items(folder / "items.jsonl"), read_votes(folder / "votes.jsonl")
    votes += read_votes(folder / "adjudications.jsonl") if (folder / "adjudications.jsonl").exists() else []
    return Texts(
        f"the run {run}",
        folder,
        tuple(pairs),
        tuple(pair.id for pair in pairs),
        tuple(items),
        tuple(item.id for item in items),
        _renamed(votes, folder / "annotator_key"),
        None,
        {},
    )


def _renamed(votes: Sequence[Vote], key: Path) -> tuple[Vote, ...] | None:
    """Return the votes by pseudonym; None without the key, which is never drawn here."""
    if not key.exists():
        return None
    drawn = read_side_key(key)
    return tuple(replace(vote, annotator=pseudonym(vote.annotator, drawn)) for vote in votes)


def _rows(path: Path) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = read_lines(path)
    return rows


def _messages(rows: Iterable[Mapping[str, Any]]) -> tuple[Message, ...]:
    return tuple(Message(row["role"], row["content"]) for row in rows)


def _pair(row: Mapping[str, Any]) -> PreferencePair:
    return PreferencePair(
        _messages(row["prompt"]),
        row["chosen"][0]["content"],
        row["rejected"][0]["content"],
        row["weight"],
        row["item_id"],
        tuple(row["vote_ids"]),
        row["kind"],
        tuple(row["tags"]),
    )


def _item(row: Mapping[str, Any]) -> Item:
    first, second, *more = (Candidate(one["response"], _origin(one["origin"])) for one in row["candidates"])
    return Item(
        _messages(row["prompt"]),
        first.response,
        second.response,
        first.origin,
        second.origin,
        tuple(row["tags"]),
        tuple(more),
    )


def _origin(row: Mapping[str, Any]) -> Origin:
    return Origin(row["kind"], row["name"], row["revision"], row["row"], json.loads(row["sampling"]))


def _vote(row: Mapping[str, Any]) -> Vote:
    return Vote(
        row["item_id"],
        row["annotator"],
        row["choice"],
        row["left"],
        row["status"],
        row["strength"],
        ranking=tuple(row["ranking"]) or None,
        critique=row["critique"],
        edit=row["edit"],
        protocol=row["protocol"],
        id=row["id"],
        updated_at=row["updated_at"],
    )
