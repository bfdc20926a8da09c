"""What is wrong with which pairs, and whether it is too much."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...collect import PreferencePair
from ..rows import Tokens, conversation_row, tokenise
from .bounds import FINDINGS, PreflightSettings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SHOWN_IDS = 5


@dataclass(frozen=True, slots=True)
class Row:
    """A pair, its tokens, and the tokens that survive truncation."""

    pair: PreferencePair
    tokens: Tokens
    chosen: list[int]
    rejected: list[int]


def is_renderable(pair: PreferencePair) -> bool:
    """Whether a chat template can put a response after the prompt."""
    return bool(pair.prompt) and pair.prompt[-1].role == "user" and bool(pair.prompt[-1].content.strip())


def row_of(pair: PreferencePair, tokenizer: "PreTrainedTokenizerBase", max_length: int) -> Row:
    """Tokenise a pair and cut it as TRL's collator does: the prompt stays whole, responses lose their ends."""
    tokens = tokenise(pair, tokenizer)
    room = max(0, max_length - len(tokens.prompt))
    return Row(pair, tokens, tokens.chosen[:room], tokens.rejected[:room])


def find(
    pairs: Sequence[PreferencePair], rows: Sequence[Row], max_length: int, tokenizer: "PreTrainedTokenizerBase"
) -> dict[str, tuple[str, ...]]:
    """Return the pair ids by finding, sorted; every finding has its place even when nothing was found."""
    kept = [row for row in rows if len(row.tokens.prompt) < max_length]
    found = _in_texts(pairs) | _in_tokens(rows, kept, max_length, tokenizer) | _in_rendering(rows, tokenizer)
    return {name: tuple(sorted(set(found[name]))) for name in FINDINGS}


def judge(
    findings: Mapping[str, Sequence[str]], total: int, settings: PreflightSettings
) -> tuple[list[str], list[str]]:
    """Return the sentences of those findings that stop the run, and of those that are warnings."""
    problems, warnings = [], []
    for name, finding in FINDINGS.items():
        share = len(findings[name]) / total if total else 0.0
        fails = settings.fail_above.get(name, finding.fails)
        if fails is not None and share > fails:
            limit = f", more than {fails:.0%}" if fails else ""
            problems.append(_sentence(name, findings[name], total, limit))
        elif finding.warns is not None and share > finding.warns:
            warnings.append(_sentence(name, findings[name], total, ""))
    return problems, warnings


def some(ids: Sequence[str]) -> str:
    """Return the first ids, and how many more there are."""
    more = f" and {len(ids) - SHOWN_IDS} more" if len(ids) > SHOWN_IDS else ""
    return ", ".join(ids[:SHOWN_IDS]) + more


def _sentence(name: str, ids: Sequence[str], total: int, limit: str) -> str:
    return f"{len(ids)} of {total} pairs{limit}: {FINDINGS[name].says} ({some(ids)})"


def _in_texts(pairs: Sequence[PreferencePair]) -> dict[str, list[str]]:
    ids = Counter(pair.id for pair in pairs)
    by_prompt: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for pair in pairs:
        by_prompt[pair.prompt_id].add((pair.chosen, pair.rejected))
    distinct = {pair.id: pair for pair in pairs}.values()
    opposed = [pair for pair in distinct if (pair.rejected, pair.chosen) in by_prompt[pair.prompt_id]]
    return {
        "broken_prompt": [pair.id for pair in pairs if not is_renderable(pair)],
        "empty": [pair.id for pair in pairs if not pair.chosen.strip() or not pair.rejected.strip()],
        "identical": [pair.id for pair in pairs if pair.chosen == pair.rejected],
        "contradictory": [pair.id for pair in opposed if pair.chosen != pair.rejected],
        "duplicate": [id for id, times in ids.items() if times > 1],
        "shared_prompt": [pair.id for pair in distinct if len(by_prompt[pair.prompt_id]) > 1],
    }


def _in_tokens(
    rows: Sequence[Row], kept: Sequence[Row], max_length: int, tokenizer: "PreTrainedTokenizerBase"
) -> dict[str, list[str]]:
    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id

    def ends(row: Row) -> bool:
        return eos in row.tokens.chosen and eos in row.tokens.rejected

    def ids(among: Iterable[Row], holds: Callable[[Row], bool]) -> list[str]:
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


def _in_rendering(rows: Sequence[Row], tokenizer: "PreTrainedTokenizerBase") -> dict[str, list[str]]:
    special = [token for token in tokenizer.all_special_tokens if token.strip()]

    def marked(pair: PreferencePair) -> bool:
        texts = (*(message.content for message in pair.prompt), pair.chosen, pair.rejected)
        return any(token in text for text in texts for token in special)

    return {
        "altered": [row.pair.id for row in rows if _altered(row.pair, tokenizer)],
        "special_token_in_text": [row.pair.id for row in rows if marked(row.pair)],
    }


def _altered(pair: PreferencePair, tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Whether a response is not in what the template makes of it; spaces around it may go."""
    row = conversation_row(pair)
    return any(
        row[side][0]["content"].strip()
        not in str(tokenizer.apply_chat_template(row["prompt"] + row[side], tokenize=False))
        for side in ("chosen", "rejected")
    )


def _cut(row: Row) -> bool:
    return len(row.chosen) < len(row.tokens.chosen) or len(row.rejected) < len(row.tokens.rejected)
