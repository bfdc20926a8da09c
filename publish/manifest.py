"""data.json: what was trained and measured on, by content hash, from each pair to the people who said so.

training, sealed   pairs: id, item, votes, and which candidates (by letter) stand as chosen and rejected
items              ids, the side of the seal they are on, who or what wrote each candidate; of a ranking also the
                   id of the item of each two candidates, by their letters
votes              ids, annotators by pseudonym, and what they chose
"""

from collections.abc import Iterator, Sequence
from typing import Any

from ..collect import Item, Origin, PreferencePair, Vote, pairwise
from ..collect.export import public_name
from ..collect.rankings import parts
from .evidence import Evidence

EDIT = "edit"
"""In the place of a candidate's letter: the annotator's own version."""


def manifest(evidence: Evidence) -> dict[str, Any]:
    """Return what was trained and measured on: no texts, no names."""
    known = {item.id: item for item in pairwise(evidence.items, [])[0]}

    def rows(pairs: Sequence[PreferencePair]) -> list[dict[str, Any]]:
        ordered = sorted(pairs, key=lambda pair: (pair.id, pair.item_id, pair.kind))
        return [_pair_row(pair, known.get(pair.item_id)) for pair in ordered]

    return {
        "collection": evidence.collection,
        "trained_on_sha256": evidence.adapter.data_sha256,
        "sealed_sha256": evidence.report.sealed.sha256,
        "training": rows(evidence.training),
        "sealed": rows(evidence.sealed),
        **_people(evidence),
    }


def _pair_row(pair: PreferencePair, item: Item | None) -> dict[str, Any]:
    letters = dict(zip(("chosen", "rejected"), _letters(pair, item), strict=True)) if item else {}
    return {
        "id": pair.id,
        "prompt_id": pair.prompt_id,
        "item_id": pair.item_id,
        "kind": pair.kind,
        "weight": pair.weight,
        "vote_ids": list(pair.vote_ids),
        **letters,
    }


def _letters(pair: PreferencePair, item: Item) -> Iterator[str]:
    """Yield which of the item's two candidates are chosen and rejected; a text of neither is an edit."""
    for text in (pair.chosen, pair.rejected):
        yield "A" if text == item.response_a else "B" if text == item.response_b else EDIT


def _people(evidence: Evidence) -> dict[str, Any]:
    lineage = evidence.lineage
    if lineage is None:
        return {}
    return {
        "guidelines_sha256": lineage.guidelines_sha256,
        "items": [
            _item_row(item, lineage.sealed.side(item)) for item in sorted(evidence.items, key=lambda item: item.id)
        ],
        "votes": [
            *_vote_rows(lineage.votes, adjudication=False),
            *_vote_rows(lineage.adjudications, adjudication=True),
        ],
    }


def _item_row(item: Item, side: str | None) -> dict[str, Any]:
    row = {
        "id": item.id,
        "prompt_id": item.prompt_id,
        "side": side,
        "origins": [origin_row(candidate.origin) for candidate in item.candidates],
    }
    return row | ({"parts": {letters: part.id for letters, part in parts(item).items()}} if item.more else {})


def origin_row(origin: Origin) -> dict[str, Any]:
    """Return who or what wrote a candidate, with no folder of this machine."""
    name = public_name(origin.name)
    row = {"kind": origin.kind, "name": name, "revision": origin.revision, "row": origin.row}
    shortened = {"shortened": True} if name != origin.name else {}
    return row | {"sampling": dict(origin.sampling)} | shortened


def _vote_rows(votes: Sequence[Vote], *, adjudication: bool) -> list[dict[str, Any]]:
    return [vote_row(vote) | {"adjudication": adjudication} for vote in sorted(votes, key=lambda vote: vote.id)]


def vote_row(vote: Vote) -> dict[str, Any]:
    """Return what of a vote decides its item, without the words that it came with."""
    return {
        "id": vote.id,
        "item_id": vote.item_id,
        "annotator": vote.annotator,
        "choice": vote.choice,
        "ranking": list(vote.ranking) if vote.ranking is not None else None,
        "strength": vote.strength,
        "status": vote.status,
        "edited": bool(vote.edit),
        "protocol": vote.protocol,
    }
