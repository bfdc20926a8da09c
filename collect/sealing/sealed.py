"""The sealed set: prompts set apart before anyone labels, opened a counted number of times, never trained on."""

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from ...errors import Problems, UserError
from ...runs import read_json, read_lines, write_json, write_lines
from ..item import Item, content_hash
from ..pair import PreferencePair
from .clusters import clusters, prompt_texts
from .similar import NEAR, near

log = logging.getLogger(__name__)

Side = Literal["sealed", "training", "neither"]
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Placed:
    """One prompt's place."""

    side: Side
    """`neither` is what came later and is near to prompts of both sides: used for nothing."""
    cluster: str
    """The smallest prompt id of those it belongs to."""
    texts: tuple[str, ...]
    """What it is compared by (`prompt_texts`)."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """Which prompts are sealed, and where all others stand."""

    prompts: Mapping[str, Placed]
    """Every prompt that was ever pushed, by its id."""
    seed: int
    fraction: float

    @property
    def prompt_ids(self) -> frozenset[str]:
        """The sealed prompts."""
        return self.of("sealed")

    def of(self, side: Side) -> frozenset[str]:
        """Return the ids of the prompts on one side."""
        return frozenset(prompt_id for prompt_id, placed in self.prompts.items() if placed.side == side)

    def side(self, row: Item | PreferencePair) -> Side | None:
        """Return where the row's prompt stands, None if it was never pushed."""
        placed = self.prompts.get(row.prompt_id)
        return placed.side if placed else None

    def holds(self, row: Item | PreferencePair) -> bool:
        """Whether the row's prompt is sealed."""
        return self.side(row) == "sealed"


def seal(items: Sequence[Item], fraction: float, seed: int, path: Path) -> Sealed:
    """Set a share of the prompts apart, by clusters of near-duplicates, and write down who stands where.

    The first call draws that share of all clusters. A later one leaves every prompt where it is: new prompts that
    belong to sealed ones are sealed, those that belong to training prompts go to training, those that belong to both
    go to neither; of the other new clusters so many are drawn that the share holds over all pushes. Seed and share are
    the first call's. The order of the items plays no part, and no vote is ever looked at.

    Raises:
        UserError: the file is damaged or of another version.
    """
    known = read_sealed(path) if path.exists() else Sealed({}, seed, fraction)
    new = {item.prompt_id: prompt_texts(item.prompt) for item in items if item.prompt_id not in known.prompts}
    if path.exists() and not new:
        return known
    sealed = replace(known, prompts=dict(sorted({**known.prompts, **_place(new, known)}.items())))
    _warn_of_one_cluster(sealed)
    row = asdict(sealed)
    write_json(path, row | {"sha256": content_hash(row)})
    return sealed


def read_sealed(path: Path) -> Sealed:
    """Read which prompts are sealed.

    Raises:
        UserError: nothing was sealed, or the file is not as it was written.
    """
    row = read_json(path)
    if row.pop("sha256", None) != content_hash(row):
        raise UserError(
            f"{path} is not as prefloop wrote it, so nobody knows which prompts must not be trained on; "
            "restore the file, or start a new run"
        )
    return TypeAdapter(Sealed).validate_python(row)


def find_sealed(folder: Path) -> Sealed | None:
    """Return the sealed set of the run that `folder` lies in, None outside of any."""
    for parent in (folder, *folder.absolute().parents):
        if (path := parent / "collect" / "sealed.json").exists():
            return read_sealed(path)
    return None


def split_pairs(pairs: Iterable[PreferencePair], sealed: Sealed) -> tuple[list[PreferencePair], list[PreferencePair]]:
    """Return the pairs for training and the sealed pairs, which are marked as such.

    Of the sealed, only what people voted on: edits stay out. Pairs that stand on neither side stay out of both.
    """
    rows = list(pairs)
    training = [pair for pair in rows if sealed.side(pair) in ("training", None)]
    held_out = [replace(pair, sealed=True) for pair in rows if sealed.holds(pair) and pair.kind == "vote"]
    return training, held_out


def refuse_sealed(pairs: Iterable[PreferencePair], sealed: Sealed | None) -> None:
    """Stop where sealed pairs are about to be trained on or given away for training.

    Args:
        pairs: What is to be trained on, from wherever it came.
        sealed: The run's sealed set; without one, only the pairs' own mark can tell.

    Raises:
        Problems: pairs that are marked as sealed, whose prompt is sealed, whose prompt is near a sealed one without
            having been pushed, or that stand on neither side. Every one is named.
    """
    rows = list(pairs)
    problems = {pair.id: why for pair in rows if (why := _why_refused(pair, sealed))}
    if sealed:
        strangers = [pair for pair in rows if pair.id not in problems and sealed.side(pair) is None]
        problems |= _near_sealed(strangers, sealed)
    if problems:
        shown = [f"pair {pair_id} {why}" for pair_id, why in list(problems.items())[:SHOWN]]
        rest = list(problems)[SHOWN:]
        raise Problems(
            f"{len(problems)} pairs must not be trained on, because the evaluation would then prove nothing; "
            "remove them, or pull again",
            [*shown, *([f"and {len(rest)} more: {', '.join(rest)}"] if rest else [])],
        )


def open_seal(path: Path, reason: str) -> int:
    """Log one opening of the sealed set in `openings.jsonl` beside it; return how many there have been.

    The same reason again, as when a killed evaluation goes on, shows nothing new and is no further opening.
    """
    rows = read_openings(path)
    if not rows or rows[-1]["reason"] != reason:
        rows.append({"at": datetime.now(UTC).isoformat(timespec="seconds"), "reason": reason})
        write_lines(path.with_name("openings.jsonl"), rows)
    return len(rows)


def read_openings(path: Path) -> list[dict[str, str]]:
    """Return when and why the sealed set was opened (`at`, `reason`), oldest first."""
    return read_lines(path.with_name("openings.jsonl"))


def _place(new: Mapping[str, tuple[str, ...]], known: Sealed) -> dict[str, Placed]:
    """Find the place of each new prompt."""
    # Prompts on neither side bind nobody: through them, sealed and training prompts would be one cluster.
    binding = {prompt_id: placed.texts for prompt_id, placed in known.prompts.items() if placed.side != "neither"}
    places: dict[str, Placed] = {}
    free: list[tuple[str, ...]] = []
    for members in clusters({**binding, **new}):
        old = [known.prompts[prompt_id] for prompt_id in members if prompt_id in known.prompts]
        if not old:
            free.append(members)
            continue
        sides = {placed.side for placed in old}
        side: Side = sides.pop() if len(sides) == 1 else "neither"
        cluster = min(placed.cluster for placed in old)
        places |= {name: Placed(side, cluster, new[name]) for name in members if name in new}
    drawn = _draw_clusters(free, known)
    return places | {
        name: Placed("sealed" if members in drawn else "training", members[0], new[name])
        for members in free
        for name in members
    }


def _draw_clusters(free: Sequence[tuple[str, ...]], known: Sealed) -> set[tuple[str, ...]]:
    before = {placed.cluster: placed.side for placed in known.prompts.values() if placed.side != "neither"}
    already = sum(side == "sealed" for side in before.values())
    wanted = round((len(before) + len(free)) * known.fraction) - already
    return set(sorted(free, key=lambda members: _draw(members[0], known.seed))[: max(wanted, 0)])


def _warn_of_one_cluster(sealed: Sealed) -> None:
    sizes: dict[str, int] = {}
    for placed in sealed.prompts.values():
        sizes[placed.cluster] = sizes.get(placed.cluster, 0) + 1
    largest = max(sizes.values(), default=0)
    if largest > 1 and largest > len(sealed.prompts) / 2:
        log.warning(
            "%d of %d prompts are near-duplicates of each other and stay on one side of the seal; if what tells them "
            "apart is in the system message, put it into the user's",
            largest,
            len(sealed.prompts),
        )


def _why_refused(pair: PreferencePair, sealed: Sealed | None) -> str | None:
    if pair.sealed or (sealed and sealed.holds(pair)):
        return f"is sealed (prompt {pair.prompt_id})"
    if sealed and sealed.side(pair) == "neither":
        return f"has a prompt near sealed and training prompts (prompt {pair.prompt_id})"
    return None


def _near_sealed(pairs: Sequence[PreferencePair], sealed: Sealed) -> dict[str, str]:
    known = [(prompt_id, text) for prompt_id in sorted(sealed.prompt_ids) for text in sealed.prompts[prompt_id].texts]
    rows = [(pair.id, text) for pair in pairs for text in prompt_texts(pair.prompt)]
    if not rows or not known:
        return {}
    found = near([text for _, text in rows], [text for _, text in known], NEAR)
    return {
        pair_id: f"has a prompt like the sealed prompt {known[match.index][0]} (similarity {match.similarity:.2f})"
        for (pair_id, _), match in zip(rows, found, strict=True)
        if match
    }


def _draw(prompt_id: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{prompt_id}".encode()).hexdigest()
