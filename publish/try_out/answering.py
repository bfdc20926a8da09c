"""Every candidate's answer to every example, and how likely it finds the good and the bad one: once, and kept.

Candidates on one base follow each other, so that it is loaded once. What was answered before a kill is read back; a
batch that was under way is answered again, the same way, because rounding depends on the batch.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from ...asking import Question, Reply, answer_locally, ask, make_question
from ...asking.question import NO_ROOM
from ...collect import PreferencePair
from ...collect.item import content_hash
from ...evaluate.estimate import LeftOut
from ...evaluate.likelihood import PairScore, Scored, longest, score_pairs
from ...models import load_tokenizer
from ...runs import Progress, append_line, read_lines, silent
from ...train.rows import Tokens, tokenise
from ...train.scale.sharing import SharedBase
from .candidates import Candidate
from .examples import Example
from .settings import TryOutSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ANSWERS, LIKELIHOODS = "answers.jsonl", "likelihoods.jsonl"


@dataclass(frozen=True, slots=True)
class Answers:
    """What the candidates said, by candidate's name and example's id."""

    replies: dict[str, dict[str, Reply]]
    preferences: dict[str, dict[str, PairScore]]
    """Of examples with a good and a bad answer; `chosen` is the good one."""
    left_out: tuple[LeftOut, ...]
    """Examples (as `candidate: example`) without an answer or a preference, by reason."""


def answer_all(
    candidates: Sequence[Candidate],
    examples: Sequence[Example],
    settings: TryOutSettings,
    folder: Path,
    progress: Progress = silent,
) -> Answers:
    """Ask every candidate everything that is not in the folder yet.

    Raises:
        UserError: an endpoint can't be used, or its budget is used up; what came is kept.
    """
    replies: dict[str, dict[str, Reply]] = {}
    preferences: dict[str, dict[str, PairScore]] = {}
    left_out: list[LeftOut] = []
    ahead = _Ahead(progress, len(examples), len(candidates))
    for base, group in _by_base(candidates):
        shared = SharedBase(base.model) if base.model is not None else None
        for candidate in group:
            asked = ask_all(candidate, examples, settings, shared, folder / ANSWERS, ahead)
            replies[candidate.name] = asked
            found, lost = prefer_all(candidate, examples, settings, shared, folder / LIKELIHOODS)
            preferences[candidate.name] = found
            left_out += lost
            full = tuple(f"{candidate.name}: {name}" for name, reply in asked.items() if reply.finish == NO_ROOM)
            left_out += [LeftOut("no room for an answer in the model's context: counts as wrong", full)] if full else []
            ahead.next()
    return Answers(replies, preferences, tuple(left_out))


def ask_all(
    candidate: Candidate,
    examples: Sequence[Example],
    settings: TryOutSettings,
    shared: SharedBase | None,
    store: Path,
    progress: Progress = silent,
) -> dict[str, Reply]:
    """Return one candidate's answers by example."""
    questions = {example.id: _question(candidate, example, settings) for example in examples}
    listed = list(questions.values())
    if candidate.endpoint is not None:
        found = ask(listed, candidate.endpoint, store, progress)
    else:
        found = answer_locally(
            listed, candidate.weights, store, progress, batch_size=settings.batch_size,
            load=lambda: load(candidate, shared or SharedBase(candidate.weights)),
        )  # fmt: skip
    return {name: found[question.key] for name, question in questions.items()}


def load(candidate: Candidate, shared: SharedBase) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Bring a candidate's model on the shared base, as `models.load_model` would, and its own tokenizer."""
    if candidate.adapter is None:
        return shared.plain(), load_tokenizer(shared.base.path)
    from peft import PeftModel

    model = PeftModel.from_pretrained(shared.plain(), str(candidate.adapter), autocast_adapter_dtype=False)
    return model.eval(), load_tokenizer(candidate.adapter)


def prefer_all(
    candidate: Candidate, examples: Sequence[Example], settings: TryOutSettings, shared: SharedBase | None, store: Path
) -> tuple[dict[str, PairScore], list[LeftOut]]:
    """Return how likely one candidate finds the good and the bad answer, by example, and which it can't be asked."""
    paired = [example for example in examples if example.paired]
    if shared is None or not paired:
        lost = tuple(f"{candidate.name}: {example.id}" for example in paired)
        why = "no likelihoods behind an endpoint: its preferences are not measured"
        return {}, [LeftOut(why, lost)] if lost else []
    keys = {_pair_key(candidate, example): example for example in paired}
    rows = {row["key"]: row for row in read_lines(store) if row["key"] in keys}
    if owed := [key for key in keys if key not in rows]:
        for row in _score(candidate, keys, set(rows), settings, shared):
            if row["key"] in owed:
                append_line(store, row)
                rows[row["key"]] = row
    scored = {keys[key].id: row for key, row in rows.items()}
    long = tuple(f"{candidate.name}: {name}" for name, row in scored.items() if row["good"] is None)
    found = {
        name: PairScore(Scored(**row["good"]), Scored(**row["bad"])) for name, row in scored.items() if row["good"]
    }
    return found, [LeftOut("longer than the model's context, or without a token: no preference", long)] if long else []


def _score(
    candidate: Candidate, keys: Mapping[str, Example], known: set[str], settings: TryOutSettings, shared: SharedBase
) -> Iterator[dict[str, object]]:
    model, tokenizer = load(candidate, shared)
    room = model.config.max_position_embeddings
    named, tokens = list[str](), list[Tokens]()
    for key, example in keys.items():
        row = tokenise(_as_pair(example), tokenizer)
        if longest(row) > room or not row.chosen or not row.rejected:
            yield {"key": key, "model": candidate.name, "example": example.id, "good": None, "bad": None}
        else:
            named.append(key)
            tokens.append(row)
    done = {index for index, key in enumerate(named) if key in known}
    for batch in score_pairs(model, tokenizer, tokens, batch_size=settings.batch_size, done=done):
        for index, score in batch.items():
            texts = {"model": candidate.name, "example": keys[named[index]].id}
            yield {"key": named[index], **texts, "good": asdict(score.chosen), "bad": asdict(score.rejected)}


def _question(candidate: Candidate, example: Example, settings: TryOutSettings) -> Question:
    note = {"candidate": candidate.name, "example": example.id}
    return make_question(candidate.target, example.prompt, max_tokens=settings.max_new_tokens, note=note)


def _pair_key(candidate: Candidate, example: Example) -> str:
    return content_hash([candidate.sha256, _as_pair(example).id])


def _as_pair(example: Example) -> PreferencePair:
    if example.good is None or example.bad is None:
        raise ValueError(f"{example.id} has no good and bad answer")
    return PreferencePair(example.prompt, example.good, example.bad, 1.0, example.id, ())


def _by_base(candidates: Sequence[Candidate]) -> Iterator[tuple[Candidate, list[Candidate]]]:
    """Put together what stands on one base, the base itself first; endpoints, which can fail, before all others."""

    def place(one: Candidate) -> tuple[str, bool]:
        return one.model.sha256 if one.model is not None else "", one.adapter is not None

    for _, group in groupby(sorted(candidates, key=place), key=lambda one: place(one)[0]):
        members = list(group)
        yield members[0], members


class _Ahead:
    """One progress over all candidates."""

    def __init__(self, progress: Progress, each: int, candidates: int) -> None:
        self.progress, self.each, self.total, self.before = progress, each, each * candidates, 0

    def __call__(self, done: int, total: int) -> None:
        self.progress(self.before + done, self.total)

    def next(self) -> None:
        self.before += self.each
        self.progress(self.before, self.total)
