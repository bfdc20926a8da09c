"""One pair, all the way to the people: its candidates, who wrote them, and every vote."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ...collect import PreferencePair, Verdict, Vote
from ...collect.item import LETTERS
from ...errors import UserError
from .step import Check, Step, agree, named, unchecked, verified, wrong
from .texts import Texts
from .told import ItemRow, Manifest, OriginRow, PairRow, VoteRow
from .votes import add_up, disagrees


@dataclass(frozen=True, slots=True)
class PairWalk:
    """A pair and all that it comes from."""

    id: str
    part: Literal["training", "sealed"]
    kind: str
    weight: float
    prompt_id: str
    item_id: str
    """The item of two candidates."""
    shown_item_id: str | None
    """The item as annotators saw it, another one in a ranking; None in releases of format 1."""
    chosen: str | None
    """The letter of the shown item's candidate, or `edit`."""
    rejected: str | None
    candidates: dict[str, OriginRow]
    """Who wrote each candidate of the shown item, by its letter."""
    votes: tuple[VoteRow, ...]
    """All votes on the shown item, those that the pair does not name too."""
    named: tuple[str, ...]
    """The ids of the votes that the pair names."""
    check: Check
    """Whether the pair follows from its votes."""


def walk_pairs(manifest: Manifest) -> tuple[PairWalk, ...]:
    """Return every pair of the release, to its votes."""
    verdicts, why = add_up(manifest)
    shown = {part: (item, letters) for item in manifest.items or () for letters, part in item.pairs.items()}
    votes: dict[str, list[VoteRow]] = {}
    for vote in manifest.votes or ():
        votes.setdefault(vote.item_id, []).append(vote)

    def walked(row: PairRow, part: Literal["training", "sealed"]) -> PairWalk:
        item, letters = shown.get(row.item_id, (None, "AB"))
        said = tuple(votes.get(item.id, ())) if item else ()
        return _walk(row, part, item, letters, said, _check(row, verdicts, why))

    return (
        *(walked(row, "training") for row in manifest.training),
        *(walked(row, "sealed") for row in manifest.sealed),
    )


def _walk(
    row: PairRow,
    part: Literal["training", "sealed"],
    item: ItemRow | None,
    letters: str,
    votes: tuple[VoteRow, ...],
    check: Check,
) -> PairWalk:
    places = dict(zip("AB", letters, strict=True))
    return PairWalk(
        id=row.id,
        part=part,
        kind=row.kind,
        weight=row.weight,
        prompt_id=row.prompt_id,
        item_id=row.item_id,
        shown_item_id=item.id if item else None,
        chosen=places.get(row.chosen or "", row.chosen),
        rejected=places.get(row.rejected or "", row.rejected),
        candidates=dict(zip(LETTERS, item.origins, strict=False)) if item else {},
        votes=votes,
        named=row.vote_ids,
        check=check,
    )


def _check(row: PairRow, verdicts: Mapping[str, Verdict] | None, why: str) -> Check:
    if verdicts is None:
        return unchecked(why)
    said = disagrees(row, verdicts)
    return agree(not said, "it follows from its votes, added up again", f"it {said}")


def find_pairs(pairs: Sequence[PairWalk], wanted: str) -> list[PairWalk]:
    """Return the rows of the pair with this id, or with an id that starts so.

    Raises:
        UserError: there is none, or the start fits several pairs.
    """
    found = [pair for pair in pairs if pair.id == wanted] or [pair for pair in pairs if pair.id.startswith(wanted)]
    ids = sorted({pair.id for pair in found})
    if not wanted or not ids:
        raise UserError(f"the release lists no pair {wanted!r}; `--json` lists them all")
    if len(ids) > 1:
        raise UserError(f"{len(ids)} pairs start with {wanted!r} ({named(ids)}); write more of the id")
    return found


def pair_step(walk: PairWalk, texts: Texts | None) -> Step:
    """Return one pair as a tree: texts where they are here, candidates, votes."""
    pair = _texts_of(walk, texts)
    facts: dict[str, object] = {"weight": round(walk.weight, 3), "prompt": walk.prompt_id, "item": walk.item_id}
    facts |= {"shown as item": walk.shown_item_id} if walk.shown_item_id not in (None, walk.item_id) else {}
    checks = [walk.check]
    if pair is None:
        checks.append(unchecked("its texts are not here"))
    else:
        facts |= {f"{message.role} says": message.content for message in pair.prompt}
        facts |= {"chosen": pair.chosen, "rejected": pair.rejected}
        same = pair.id == walk.id
        checks.append(
            verified("its id is the hash of these texts")
            if same
            else wrong(f"its texts have the hash {pair.id}, edited or with chosen and rejected swapped")
        )
    steps = (_candidates(walk), _votes(walk, texts))
    return Step(f"pair {walk.id} ({walk.part}, {walk.kind})", facts, tuple(checks), steps)


def _texts_of(walk: PairWalk, texts: Texts | None) -> PreferencePair | None:
    if texts is None:
        return None
    rows = zip(texts.pair_ids, texts.pairs, strict=True)
    key = (walk.id, walk.item_id, walk.kind)
    return next((pair for row_id, pair in rows if (row_id, pair.item_id, pair.kind) == key), None)


def _candidates(walk: PairWalk) -> Step:
    facts: dict[str, object] = {}
    for letter, origin in walk.candidates.items():
        stands = {walk.chosen: " (chosen)", walk.rejected: " (rejected)"}.get(letter, "")
        facts[letter + stands] = _writer(origin)
    if walk.chosen == "edit":
        writers = {vote.annotator for vote in walk.votes if vote.id in walk.named}
        facts["edit (chosen)"] = f"written by {', '.join(sorted(writers)) or 'an annotator'}"
    return Step("candidates", facts)


def _writer(origin: OriginRow) -> str:
    where = f", row {origin.row}" if origin.row else ""
    revision = f" ({origin.revision})" if origin.revision else ""
    sampling = ", ".join(f"{name} {value}" for name, value in origin.sampling.items())
    return f"{origin.kind} {origin.name}{revision}{where}" + (f", {sampling}" if sampling else "")


def _votes(walk: PairWalk, texts: Texts | None) -> Step:
    words = {vote.id: vote for vote in (texts.votes or ()) if texts} if texts else {}
    facts: dict[str, object] = {vote.id: _said(vote, walk, words.get(vote.id)) for vote in walk.votes}
    facts |= {
        name: "named by the pair" for name in walk.named if name.partition("#")[0] not in facts and not walk.votes
    }
    return Step(f"votes ({len(facts)})", facts)


def _said(vote: VoteRow, walk: PairWalk, words: Vote | None) -> str:
    chose = f"ranked {' '.join(str(rank or '-') for rank in vote.ranking)}" if vote.ranking else f"chose {vote.choice}"
    parts = [f"{vote.annotator} {chose}"]
    parts += [f"strength {vote.strength}"] if vote.strength else []
    parts += [vote.status] if vote.status != "submitted" else []
    parts += ["adjudication"] if vote.adjudication else []
    parts += ["with an edit"] if vote.edited else []
    parts += [f"protocol {vote.protocol}"] if vote.protocol else []
    if words:
        parts += [f"at {words.updated_at}"] if words.updated_at else []
        parts += [f'"{words.critique}"'] if words.critique else []
    used = any(name.partition("#")[0] == vote.id for name in walk.named)
    return ", ".join(parts) + ("" if used else " (not counted for this pair)")
