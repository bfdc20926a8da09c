"""The sealed set: prompts set apart before anyone labels, opened a counted number of times, never trained on."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..errors import UserError
from ..runs import read_json, read_lines, write_json, write_lines
from .item import Item
from .pair import PreferencePair


@dataclass(frozen=True, slots=True)
class Sealed:
    """Which prompts are sealed."""

    prompt_ids: frozenset[str]
    seed: int

    def holds(self, row: Item | PreferencePair) -> bool:
        """Whether the row's prompt is sealed."""
        return row.prompt_id in self.prompt_ids


def seal(items: Sequence[Item], fraction: float, seed: int, path: Path) -> Sealed:
    """Set a share of the distinct prompts apart, once: a second call returns what the first one wrote.

    The order of the file plays no part. Prompts that come with a later push are not sealed: the share then falls, but
    what was sealed stays sealed.
    """
    if path.exists():
        return read_sealed(path)
    prompts = sorted({item.prompt_id for item in items}, key=lambda prompt_id: _draw(prompt_id, seed))
    sealed = Sealed(frozenset(prompts[: round(len(prompts) * fraction)]), seed)
    write_json(path, {"seed": seed, "prompts": len(prompts), "prompt_ids": sorted(sealed.prompt_ids)})
    return sealed


def read_sealed(path: Path) -> Sealed:
    """Read which prompts are sealed. Raises UserError where nothing was sealed."""
    row = read_json(path)
    return Sealed(frozenset(row["prompt_ids"]), row["seed"])


def split_pairs(pairs: Iterable[PreferencePair], sealed: Sealed) -> tuple[list[PreferencePair], list[PreferencePair]]:
    """Return the pairs for training and the sealed pairs. Of the sealed, only what people voted on: edits stay out."""
    rows = list(pairs)
    training = [pair for pair in rows if not sealed.holds(pair)]
    return training, [pair for pair in rows if sealed.holds(pair) and pair.kind == "vote"]


def refuse_sealed(pairs: Iterable[PreferencePair], sealed: Sealed) -> None:
    """Stop where sealed pairs are about to be trained on.

    Raises:
        UserError: some are.
    """
    leaked = [pair.id for pair in pairs if sealed.holds(pair)]
    if leaked:
        raise UserError(f"{len(leaked)} pairs have sealed prompts and must not be trained on (first: {leaked[0]})")


def open_seal(path: Path, reason: str) -> int:
    """Log one opening of the sealed set in `openings.jsonl` beside it; return how many there have been.

    The same reason again, as when a killed evaluation goes on, shows nothing new and is no further opening.
    """
    log = path.with_name("openings.jsonl")
    rows = read_lines(log)
    if not rows or rows[-1]["reason"] != reason:
        rows.append({"at": datetime.now(UTC).isoformat(timespec="seconds"), "reason": reason})
        write_lines(log, rows)
    return len(rows)


def _draw(prompt_id: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{prompt_id}".encode()).hexdigest()
