"""What a model did on the sealed material, kept on disk batch by batch: a killed evaluation goes on where it stopped.

A row counts only under the key it was written with: the hash of model, adapter, device, settings and material.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..collect.item import Message, content_hash
from ..collect.sampling.generate import Answer, GenerateSettings, generate_batches
from ..errors import UserError
from ..models import ModelFolder, load_model, load_tokenizer
from ..runs import append_line, read_json, read_lines, write_json
from ..train.adapter import adapter_sha256, is_whole
from ..train.rows import Tokens
from .general import GeneralData, answer_questions
from .likelihood import PairScore, Scored, score_pairs

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Who = Literal["base", "tuned"]
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
class Subject:
    """The tuned model and its base.

    Switching an adapter off makes its base, so that one model is in memory; a whole model has its base beside it.
    """

    model: "PeftModel | PreTrainedModel"
    base: "PreTrainedModel | None"
    """None where switching the adapter off makes it."""
    tokenizer: "PreTrainedTokenizerBase"
    base_sha256: str
    adapter_sha256: str
    batch_size: int
    folder: Path
    """Where measurements are kept."""

    @contextmanager
    def as_(self, who: Who) -> Iterator[Any]:
        """Yield the base or the tuned model, which it is while the context lasts."""
        if who == "tuned":
            yield self.model
        elif self.base is not None:
            yield self.base
        else:
            tuned: Any = self.model
            with tuned.disable_adapter():
                yield tuned

    def key(self, who: Who, *material: object) -> str:
        """Return the hash of everything a measurement depends on."""
        adapter = self.adapter_sha256 if who == "tuned" else ""
        template = content_hash([self.tokenizer.chat_template, SCORING])
        return content_hash([self.base_sha256, adapter, template, str(self.model.device), self.batch_size, *material])


def load_subject(adapter: Path, base: ModelFolder, *, batch_size: int, folder: Path) -> Subject:
    """Load the base model with the adapter on top, or a whole model and its base, and the tokenizer trained with.

    Raises:
        UserError: the folder holds no whole adapter.
    """
    sha256 = adapter_sha256(adapter)
    # An adapter of somebody else's may have no tokenizer; what prefloop trained brings its chat template.
    tokenizer = load_tokenizer(adapter if (adapter / "tokenizer_config.json").exists() else base.path)
    if is_whole(adapter):
        tuned, plain = load_model(adapter), load_model(base.path)
    else:
        tuned, plain = load_model(base.path, adapter=adapter), None
    return Subject(tuned, plain, tokenizer, base.sha256, sha256, batch_size, folder)


def measure_likelihoods(subject: Subject, who: Who, pairs: dict[str, Tokens], advance: Advance) -> list[PairScore]:
    """Score the pairs (by id) under one of the two models, in their order."""
    key = subject.key(who, list(pairs))
    path, names = subject.folder / "likelihoods.jsonl", list(pairs)
    known = {row["id"]: _pair_score(row) for row in _rows(path, key)}
    advance(len(known))
    done = {names.index(name) for name in known}
    with subject.as_(who) as model:
        for batch in score_pairs(
            model, subject.tokenizer, list(pairs.values()), batch_size=subject.batch_size, done=done
        ):
            for index, score in batch.items():
                append_line(path, {"key": key, "who": who, "id": names[index], **asdict(score)})
            advance(len(batch.keys() - {names.index(name) for name in known}))
            known |= {names[index]: score for index, score in batch.items()}
    return [known[name] for name in names]


def measure_answers(
    subject: Subject, who: Who, prompts: dict[str, tuple[Message, ...]], max_new_tokens: int, advance: Advance
) -> dict[str, Answer]:
    """Let one of the two models answer the prompts (by id) greedily."""
    key = subject.key(who, max_new_tokens, list(prompts))
    path, names = subject.folder / "generations.jsonl", list(prompts)
    known = {row["id"]: Answer(row["text"], row["tokens"], row["finish"]) for row in _rows(path, key)}
    advance(len(known))
    settings = GenerateSettings(max_new_tokens=max_new_tokens, batch_size=subject.batch_size)
    done = {names.index(name) for name in known}
    with subject.as_(who) as model:
        for batch in generate_batches(model, subject.tokenizer, list(prompts.values()), settings, done=done):
            for index, answer in batch.items():
                append_line(path, {"key": key, "who": who, "id": names[index], **asdict(answer)})
            advance(len(batch.keys() - done))
            known |= {names[index]: answer for index, answer in batch.items()}
    _note_current(subject, who, key)
    return {name: known[name] for name in names}


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


def measure_questions(subject: Subject, who: Who, data: GeneralData, advance: Advance) -> list[float]:
    """Let one of the two models answer the general questions: 1 or 0 each."""
    key = subject.key(who, data.sha256, len(data.questions))
    path = subject.folder / "general.jsonl"
    for row in _rows(path, key):
        advance(len(data.questions))
        return list(row["correct"])
    with subject.as_(who) as model:
        correct = answer_questions(model, subject.tokenizer, data, batch_size=subject.batch_size)
    append_line(path, {"key": key, "who": who, "correct": correct})
    advance(len(data.questions))
    return correct


def _note_current(subject: Subject, who: Who, key: str) -> None:
    """Keep under which key the answers stand that were asked for last: the file holds those of every adapter."""
    path = subject.folder / CURRENT
    known = read_json(path) if path.exists() else {}
    own = {"key": key, "base_sha256": subject.base_sha256, "adapter_sha256": subject.adapter_sha256}
    write_json(path, known | {who: own})


def _rows(path: Path, key: str) -> Iterator[dict[str, Any]]:
    return (row for row in read_lines(path) if row["key"] == key)


def _pair_score(row: dict[str, Any]) -> PairScore:
    return PairScore(Scored(**row["chosen"]), Scored(**row["rejected"]))
