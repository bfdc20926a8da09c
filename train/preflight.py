"""Look at the data as the trainer will see it, before training: what is dropped, cut, doubled or pointless."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from ..collect import PreferencePair
from ..errors import Problems
from .rows import Tokens, tokenise
from .settings import SMALLEST_NORMALISED_BETA, TrainSettings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LARGEST_DROPPED_SHARE = 0.1
"""More pairs than this too long for `max_length` stop the run: what is left is not what was collected."""
LENGTH_BIAS = 0.75
"""A chosen-longer share beyond this, or below its complement, is worth a warning: the model may learn only length."""
SHOWN_IDS = 5


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
    prompt: Lengths
    chosen: Lengths
    rejected: Lengths
    longest: int
    """Tokens of the longest sequence after truncation."""
    chosen_longer: float
    """The share of pairs whose chosen response has more tokens than the rejected one; ties count half."""
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
            *found,
            *((f"{part} tokens", f"{n.smallest} to {n.largest}, median {n.median:g}") for part, n in lengths),
            ("chosen is longer", f"{self.chosen_longer:.0%}"),
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
            raise Problems("the training data is not ready", self.problems)
        return self


@dataclass(frozen=True, slots=True)
class _Row:
    """A pair, its tokens, and the tokens that survive truncation."""

    pair: PreferencePair
    tokens: Tokens
    chosen: list[int]
    rejected: list[int]


@dataclass(frozen=True, slots=True)
class _Finding:
    serious: bool
    says: str


FINDINGS = {
    "broken_prompt": _Finding(True, "the prompt is empty or does not end with the user's turn"),
    "empty": _Finding(True, "a response has no text"),
    "identical": _Finding(True, "chosen and rejected are the same text"),
    "identical_after_truncation": _Finding(True, "chosen and rejected differ only beyond max_length"),
    "double_bos": _Finding(True, "the text starts with two beginning-of-text tokens: the prompt was rendered already"),
    "dropped": _Finding(False, "the prompt alone fills max_length, so the pair is left out"),
    "truncated": _Finding(False, "a response loses its end to max_length"),
    "eos_lost": _Finding(
        False, "truncation takes the end-of-text token, so the model sees a response that never stops"
    ),
    "eos_missing": _Finding(False, "the chat template ends no response with the end-of-text token"),
    "prompt_not_a_prefix": _Finding(False, "the chat template renders the prompt differently once a response follows"),
    "contradictory": _Finding(False, "another pair prefers the opposite for the same prompt"),
    "duplicate": _Finding(False, "the same pair occurs more than once"),
    "shared_prompt": _Finding(False, "other pairs have the same prompt"),
}
"""What is looked for. Serious ones stop the run, `shared_prompt` is only counted, the rest are warnings."""


def preflight(
    pairs: Sequence[PreferencePair], settings: TrainSettings, tokenizer: "PreTrainedTokenizerBase"
) -> Preflight:
    """Tokenise the pairs as TRL does, and count what would go wrong. Trains nothing, raises nothing about the data.

    Raises:
        Problems: the tokenizer has no chat template.
    """
    if not tokenizer.chat_template:
        raise Problems(settings.base_model, ["has no chat template, so conversations can't be rendered for it"])
    renderable = [pair for pair in pairs if _renderable(pair)]
    rows = [_row(tokenise(pair, tokenizer), pair, settings.max_length) for pair in renderable]
    kept = [row for row in rows if len(row.tokens.prompt) < settings.max_length]
    found = {"broken_prompt": [pair.id for pair in pairs if not _renderable(pair)]}
    found |= _text_findings(pairs) | _token_findings(rows, kept, settings.max_length, tokenizer)
    findings = {name: tuple(sorted(found[name])) for name in FINDINGS}
    context, chosen, rejected = _example(kept, tokenizer)
    return Preflight(
        pairs=len(pairs),
        kept=len(kept),
        findings=findings,
        prompt=_lengths(len(row.tokens.prompt) for row in rows),
        chosen=_lengths(len(row.tokens.chosen) for row in rows),
        rejected=_lengths(len(row.tokens.rejected) for row in rows),
        longest=max((len(row.tokens.prompt) + max(len(row.chosen), len(row.rejected)) for row in kept), default=0),
        chosen_longer=(longer := _chosen_longer(rows)),
        example_context=context,
        example_chosen=chosen,
        example_rejected=rejected,
        problems=_problems(findings, len(pairs), len(kept), settings),
        warnings=_warnings(findings, len(pairs), longer, settings),
    )


def _renderable(pair: PreferencePair) -> bool:
    return bool(pair.prompt) and pair.prompt[-1].role == "user" and bool(pair.prompt[-1].content.strip())


def _row(tokens: Tokens, pair: PreferencePair, max_length: int) -> _Row:
    room = max(0, max_length - len(tokens.prompt))
    return _Row(pair, tokens, tokens.chosen[:room], tokens.rejected[:room])


def _text_findings(pairs: Sequence[PreferencePair]) -> dict[str, list[str]]:
    ids = Counter(pair.id for pair in pairs)
    by_prompt: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for pair in pairs:
        by_prompt[pair.prompt_id].add((pair.chosen, pair.rejected))
    distinct = {pair.id: pair for pair in pairs}.values()
    opposed = [pair for pair in distinct if (pair.rejected, pair.chosen) in by_prompt[pair.prompt_id]]
    return {
        "empty": [pair.id for pair in pairs if not pair.chosen.strip() or not pair.rejected.strip()],
        "identical": [pair.id for pair in pairs if pair.chosen == pair.rejected],
        "contradictory": [pair.id for pair in opposed if pair.chosen != pair.rejected],
        "duplicate": [id for id, times in ids.items() if times > 1],
        "shared_prompt": [pair.id for pair in distinct if len(by_prompt[pair.prompt_id]) > 1],
    }


def _token_findings(
    rows: Sequence[_Row], kept: Sequence[_Row], max_length: int, tokenizer: "PreTrainedTokenizerBase"
) -> dict[str, list[str]]:
    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id

    def ends(row: _Row) -> bool:
        return eos in row.tokens.chosen and eos in row.tokens.rejected

    def ids(among: Iterable[_Row], holds: Callable[[_Row], bool]) -> list[str]:
        return [row.pair.id for row in among if holds(row)]

    return {
        "dropped": ids(rows, lambda row: len(row.tokens.prompt) >= max_length),
        "truncated": ids(kept, _cut),
        "identical_after_truncation": ids(
            kept, lambda row: row.chosen == row.rejected and row.tokens.chosen != row.tokens.rejected
        ),
        "eos_lost": ids(kept, lambda row: ends(row) and not (eos in row.chosen and eos in row.rejected)),
        "eos_missing": ids(kept, lambda row: not ends(row)),
        "double_bos": ids(rows, lambda row: bos is not None and row.tokens.prompt[:2] == [bos, bos]),
        "prompt_not_a_prefix": ids(rows, lambda row: row.tokens.cut_from_prompt > 0),
    }


def _cut(row: _Row) -> bool:
    return len(row.chosen) < len(row.tokens.chosen) or len(row.rejected) < len(row.tokens.rejected)


def _lengths(counts: Iterable[int]) -> Lengths:
    ordered = sorted(counts)
    return Lengths(ordered[0], median(ordered), ordered[-1]) if ordered else Lengths(0, 0, 0)


def _chosen_longer(rows: Sequence[_Row]) -> float:
    scores = [_longer(len(row.tokens.chosen), len(row.tokens.rejected)) for row in rows]
    return sum(scores) / len(scores) if scores else 0.0


def _longer(chosen: int, rejected: int) -> float:
    return 0.5 if chosen == rejected else float(chosen > rejected)


def _example(kept: Sequence[_Row], tokenizer: "PreTrainedTokenizerBase") -> tuple[str, str, str]:
    if not kept:
        return "", "", ""
    row = kept[0]
    return tokenizer.decode(row.tokens.prompt), tokenizer.decode(row.chosen), tokenizer.decode(row.rejected)


def _problems(findings: dict[str, tuple[str, ...]], total: int, kept: int, settings: TrainSettings) -> tuple[str, ...]:
    problems = [_sentence(name, findings[name], total) for name in FINDINGS if FINDINGS[name].serious]
    dropped = findings["dropped"]
    if not kept:
        problems.append("no pair is left to train on")
    elif len(dropped) > LARGEST_DROPPED_SHARE * total:
        problems.append(
            f"{len(dropped)} of {total} prompts do not fit max_length {settings.max_length}, more than "
            f"{LARGEST_DROPPED_SHARE:.0%}; raise max_length or shorten the prompts ({_some(dropped)})"
        )
    return tuple(problem for problem in problems if problem)


def _warnings(
    findings: dict[str, tuple[str, ...]], total: int, longer: float, settings: TrainSettings
) -> tuple[str, ...]:
    named = [name for name, finding in FINDINGS.items() if not finding.serious and name != "shared_prompt"]
    warnings = [_sentence(name, findings[name], total) for name in named]
    if total and not 1 - LENGTH_BIAS <= longer <= LENGTH_BIAS:
        side = "longer" if longer > LENGTH_BIAS else "shorter"
        warnings.append(
            f"the chosen response is the {side} one in {max(longer, 1 - longer):.0%} of the pairs: "
            "watch whether the model learns more than length"
        )
    if "ipo" in settings.loss_type and settings.beta < SMALLEST_NORMALISED_BETA:
        warnings.append(
            f"ipo with beta {settings.beta} pulls the log-ratio per token towards {1 / (2 * settings.beta):g}, "
            "which is out of reach: only learning rate and epochs hold the model back"
        )
    return tuple(warning for warning in warnings if warning)


def _sentence(name: str, ids: Sequence[str], total: int) -> str:
    return f"{len(ids)} of {total} pairs: {FINDINGS[name].says} ({_some(ids)})" if ids else ""


def _some(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - SHOWN_IDS} more" if len(ids) > SHOWN_IDS else ""
    return ", ".join(ids[:SHOWN_IDS]) + more
