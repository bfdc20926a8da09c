"""What a model did on the sealed material, kept on disk batch by batch: a killed evaluation goes on where it stopped.

A row counts only under the key it was written with: the hash of model, adapter, device, settings and material. A model
is loaded when something is owed, and not before.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..collect.item import Message, content_hash
from ..collect.sampling.generate import Answer, GenerateSettings, generate_batches
from ..errors import UserError
from ..runs import append_line, read_json, read_lines, write_json
from ..train.rows import Tokens
from .general import GeneralData, answer_questions
from .likelihood import PairScore, Scored, score_pairs
from .subject import Subject, Who

Advance = Callable[[int], None]
"""Called with how many pairs, prompts or questions have just become known."""
CURRENT = "answers.json"
"""Says which answers of `generations.jsonl` the last evaluation compared."""
SCORING = 2
"""Raised whenever the same model comes to say other numbers: what was measured before is then measured again."""


@dataclass(frozen=True, slots=True)
class GivenAnswers:
    """What both models answered, by prompt id, and which models they are."""

    base: dict[str, Answer]
    tuned: dict[str, Answer]
    base_sha256: str
    adapter_sha256: str


@dataclass(frozen=True, slots=True)
class Measuring:
    """Who is measured, how many sequences at once, and where it is kept."""

    subject: Subject
    batch_size: int
    folder: Path

    def key(self, who: Who, *material: object) -> str:
        """Return the hash of everything a measurement depends on."""
        return content_hash([self.subject.key(who), SCORING, self.batch_size, *material])


def measure_likelihoods(
    measuring: Measuring,
    who: Who,
    names: Sequence[str],
    read_tokens: Callable[[], dict[str, Tokens]],
    advance: Advance,
) -> list[PairScore]:
    """Score pairs under one of the two models.

    Args:
        measuring: Both models.
        who: Which of them.
        names: The pairs' ids, in the order of the result.
        read_tokens: Called where a pair is owed; gives all pairs by id.
        advance: Called as pairs become known.
    """
    key = measuring.key(who, list(names))
    path, order = measuring.folder / "likelihoods.jsonl", list(names)
    known = {row["id"]: _pair_score(row) for row in _rows(path, key)}
    advance(len(known))
    if len(known) == len(order):
        return [known[name] for name in order]
    done = {order.index(name) for name in known}
    pairs, subject = read_tokens(), measuring.subject
    with subject.as_(who) as model:
        rows = [pairs[name] for name in order]
        for batch in score_pairs(model, subject.tokenizer, rows, batch_size=measuring.batch_size, done=done):
            for index, score in batch.items():
                append_line(path, {"key": key, "who": who, "id": order[index], **asdict(score)})
            advance(len(batch.keys() - {order.index(name) for name in known}))
            known |= {order[index]: score for index, score in batch.items()}
    return [known[name] for name in order]


def measure_answers(
    measuring: Measuring, who: Who, prompts: dict[str, tuple[Message, ...]], max_new_tokens: int, advance: Advance
) -> dict[str, Answer]:
    """Let one of the two models answer the prompts (by id) greedily."""
    key = measuring.key(who, max_new_tokens, list(prompts))
    path, names = measuring.folder / "generations.jsonl", list(prompts)
    known = {row["id"]: Answer(row["text"], row["tokens"], row["finish"]) for row in _rows(path, key)}
    advance(len(known))
    if len(known) < len(names):
        known |= _answer_owed(measuring, who, prompts, max_new_tokens, set(known), key, advance)
    _note_current(measuring, who, key)
    return {name: known[name] for name in names}


def _answer_owed(
    measuring: Measuring,
    who: Who,
    prompts: dict[str, tuple[Message, ...]],
    max_new_tokens: int,
    known: set[str],
    key: str,
    advance: Advance,
) -> dict[str, Answer]:
    settings = GenerateSettings(max_new_tokens=max_new_tokens, batch_size=measuring.batch_size)
    found: dict[str, Answer] = {}
    path, names = measuring.folder / "generations.jsonl", list(prompts)
    done, subject = {names.index(name) for name in known}, measuring.subject
    with subject.as_(who) as model:
        for batch in generate_batches(model, subject.tokenizer, list(prompts.values()), settings, done=done):
            for index, answer in batch.items():
                append_line(path, {"key": key, "who": who, "id": names[index], **asdict(answer)})
            advance(len(batch.keys() - done))
            found |= {names[index]: answer for index, answer in batch.items()}
    return found


def read_answers(folder: Path) -> GivenAnswers:
    """Return the answers that the last evaluation in a folder compared.

    Raises:
        UserError: there are none, or those of one of the two models are missing.
    """
    current: dict[str, dict[str, str]] = read_json(folder / CURRENT) if (folder / CURRENT).exists() else {}
    if current.keys() != {"base", "tuned"}:
        raise UserError(f"{folder} holds no answers of both models; `prefloop evaluate` (again) writes them")
    rows = {who: list(_rows(folder / "generations.jsonl", current[who]["key"])) for who in ("base", "tuned")}
    base, tuned = ({row["id"]: Answer(row["text"], row["tokens"], row["finish"]) for row in rows[who]} for who in rows)
    return GivenAnswers(base, tuned, current["tuned"]["base_sha256"], current["tuned"]["adapter_sha256"])


def measure_questions(measuring: Measuring, who: Who, data: GeneralData, advance: Advance) -> list[float]:
    """Let one of the two models answer the general questions: 1 or 0 each."""
    key, subject = measuring.key(who, data.sha256, len(data.questions)), measuring.subject
    path = measuring.folder / "general.jsonl"
    for row in _rows(path, key):
        advance(len(data.questions))
        return list(row["correct"])
    with subject.as_(who) as model:
        correct = answer_questions(model, subject.tokenizer, data, batch_size=measuring.batch_size)
    append_line(path, {"key": key, "who": who, "correct": correct})
    advance(len(data.questions))
    return correct


def _note_current(measuring: Measuring, who: Who, key: str) -> None:
    """Keep under which key the answers stand that were asked for last: the file holds those of every adapter."""
    path, subject = measuring.folder / CURRENT, measuring.subject
    known = read_json(path) if path.exists() else {}
    own = {"key": key, "base_sha256": subject.identity("base").sha256, "adapter_sha256": subject.adapter_sha256}
    write_json(path, known | {who: own})


def _rows(path: Path, key: str) -> Iterator[dict[str, Any]]:
    return (row for row in read_lines(path) if row["key"] == key)


def _pair_score(row: dict[str, Any]) -> PairScore:
    return PairScore(Scored(**row["chosen"]), Scored(**row["rejected"]))
