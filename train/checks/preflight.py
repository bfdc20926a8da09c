"""Look at settings, data and tokens as the trainer will see them, before training: what is dropped or pointless."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from ...collect import PreferencePair
from ...collect.pair import TIE
from ...errors import Problems
from ..settings import TrainSettings
from ..votes.reading import vote_facts
from .drift import Drift, check_tokenizer
from .findings import Row, find, is_renderable, judge, row_of
from .sanity import odd_settings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LENGTH_BIAS = 0.75
"""A chosen-longer share beyond this, or below its complement, is worth a warning: the model may learn only length."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens."""

    smallest: int
    median: float
    largest: int


@dataclass(frozen=True, slots=True)
class Preflight:
    """What a training would run on. Every finding names the ids of its pairs."""

    pairs: int
    kept: int
    """Pairs that are trained on."""
    findings: dict[str, tuple[str, ...]]
    """Pair ids by finding, every finding listed even when nothing was found; `FINDINGS` explains the names."""
    left_out: dict[str, tuple[str, ...]]
    """Ids of pairs that never came here, by the reason: they stand in sealed or evaluation data."""
    prompt: Lengths
    chosen: Lengths
    rejected: Lengths
    longest: int
    """Tokens of the longest sequence after truncation."""
    tokens: int
    """Of one epoch, after truncation, each prompt counted once for each of its two responses."""
    chosen_longer: float
    """The share of pairs whose chosen response has more tokens than the rejected one; equal lengths count half."""
    votes: tuple[tuple[str, str], ...]
    """What the loss makes of the votes, as (name, value) rows; none where it reads no votes."""
    example_context: str
    """The first pair as the model reads it, up to where scoring starts."""
    example_chosen: str
    """The scored part of its chosen side, end-of-turn tokens included, after truncation."""
    example_rejected: str
    problems: tuple[str, ...]
    """What must be mended before training."""
    warnings: tuple[str, ...]

    def as_rows(self) -> list[tuple[str, str]]:
        """Return what a person should see, as (name, value) rows."""
        found = [(name.replace("_", " "), str(len(ids))) for name, ids in self.findings.items() if ids]
        lengths = [(part, getattr(self, part)) for part in ("prompt", "chosen", "rejected")]
        return [
            ("pairs", str(self.pairs)),
            ("trained on", str(self.kept)),
            *((f"left out: {reason}", str(len(ids))) for reason, ids in self.left_out.items()),
            *found,
            *((f"{part} tokens", f"{n.smallest} to {n.largest}, median {n.median:g}") for part, n in lengths),
            ("chosen is longer", f"{self.chosen_longer:.0%}"),
            *self.votes,
        ]

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON-able values."""
        return asdict(self)

    def require(self) -> "Preflight":
        """Return itself.

        Raises:
            Problems: the data can't be trained on as it is.
        """
        if self.problems:
            allowed = "what is meant so can be allowed by train.preflight.fail_above"
            raise Problems(f"the training data is not ready ({allowed})", self.problems)
        return self


def preflight(
    pairs: Sequence[PreferencePair],
    settings: TrainSettings,
    tokenizer: "PreTrainedTokenizerBase",
    *,
    base: Path | None = None,
    left_out: Mapping[str, Sequence[str]] | None = None,
) -> Preflight:
    """Tokenise the pairs as TRL does, and count what would go wrong. Trains nothing, raises nothing about the data.

    Args:
        pairs: What is to be trained on.
        settings: Of the training.
        tokenizer: With the chat template that the training will use.
        base: The base model's folder, to compare the tokenizer with; None compares nothing.
        left_out: Ids of pairs that were taken out before, by the reason, so that one table shows them all.

    Raises:
        Problems: the tokenizer has no chat template.
    """
    if not tokenizer.chat_template:
        raise Problems(settings.base_model, ["has no chat template, so conversations can't be rendered for it"])
    rows = [row_of(pair, tokenizer, settings.max_length) for pair in pairs if is_renderable(pair)]
    said = vote_facts(pairs, settings)
    kept = [row for row in rows if len(row.tokens.prompt) < settings.max_length]
    findings = find(pairs, rows, settings.max_length, tokenizer)
    problems, warnings = judge(findings, len(pairs), settings.preflight)
    context, chosen, rejected = _example(kept, tokenizer)
    longest = max((len(row.tokens.prompt) + max(len(row.chosen), len(row.rejected)) for row in kept), default=0)
    drift = check_tokenizer(tokenizer, base, settings, longest=longest) if base else Drift()
    longer = _chosen_longer([row for row in rows if row.pair.kind != TIE])
    return Preflight(
        pairs=len(pairs),
        kept=len(kept),
        findings=findings,
        left_out={reason: tuple(sorted(ids)) for reason, ids in (left_out or {}).items()},
        prompt=_lengths(len(row.tokens.prompt) for row in rows),
        chosen=_lengths(len(row.tokens.chosen) for row in rows),
        rejected=_lengths(len(row.tokens.rejected) for row in rows),
        longest=longest,
        tokens=sum(2 * len(row.tokens.prompt) + len(row.chosen) + len(row.rejected) for row in kept),
        chosen_longer=longer,
        votes=said.rows,
        example_context=context,
        example_chosen=chosen,
        example_rejected=rejected,
        problems=(*problems, *([] if kept else ["no pair is left to train on"]), *drift.problems),
        warnings=(
            *warnings,
            *_length_bias(longer, len(pairs)),
            *said.warnings,
            *odd_settings(settings, len(kept)),
            *drift.warnings,
        ),
    )


def _lengths(counts: Iterable[int]) -> Lengths:
    ordered = sorted(counts)
    return Lengths(ordered[0], median(ordered), ordered[-1]) if ordered else Lengths(0, 0, 0)


def _chosen_longer(rows: Sequence[Row]) -> float:
    scores = [_longer(len(row.tokens.chosen), len(row.tokens.rejected)) for row in rows]
    return sum(scores) / len(scores) if scores else 0.0


def _longer(chosen: int, rejected: int) -> float:
    return 0.5 if chosen == rejected else float(chosen > rejected)


def _length_bias(longer: float, total: int) -> list[str]:
    if not total or 1 - LENGTH_BIAS <= longer <= LENGTH_BIAS:
        return []
    side = "longer" if longer > LENGTH_BIAS else "shorter"
    return [
        f"the chosen response is the {side} one in {max(longer, 1 - longer):.0%} of the pairs: "
        "watch whether the model learns more than length"
    ]


def _example(kept: Sequence[Row], tokenizer: "PreTrainedTokenizerBase") -> tuple[str, str, str]:
    if not kept:
        return "", "", ""
    row = kept[0]
    return tokenizer.decode(row.tokens.prompt), tokenizer.decode(row.chosen), tokenizer.decode(row.rejected)
