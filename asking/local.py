"""The same questions to a model of this machine."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from ..models import ModelFolder, load_model, load_tokenizer
from ..runs import Progress, append_line, silent
from .generate import Answer, GenerateSettings, generate_batches, prompt_ids
from .question import NO_ROOM, Question, Reply, make_row, split

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    Loaded = tuple[PreTrainedModel, PreTrainedTokenizerBase]

FINISH = {"eos": "stop", "length": "length"}


def answer_locally(
    questions: Sequence[Question],
    model: ModelFolder,
    store: Path,
    progress: Progress = silent,
    *,
    batch_size: int = 8,
    load: "Callable[[], Loaded] | None" = None,
) -> dict[str, Reply]:
    """Let a local model answer every question that has no reply in the store yet; it costs nothing.

    The model is loaded only if a question is open. Questions that leave no room for a reply in the model's context get
    an empty one (`no room`), as behind an endpoint. Rounding in bfloat16 depends on the batch, so a run that was killed
    batches as before.

    Args:
        questions: Made with `make_question` for this model.
        model: Its folder.
        store: JSON lines; every batch of replies is appended as it comes.
        progress: Called with replies had and questions in all.
        batch_size: Questions answered at once.
        load: Brings the model and its tokenizer where `model` is more than a folder to load, such as an adapter on a
            base that is in memory already; by default the folder is loaded.

    Returns:
        All replies by key.
    """
    replies, owed = split(questions, store)
    total = len(replies) + len(owed)
    progress(len(replies), total)
    if not owed:
        return replies
    loaded, tokenizer = load() if load is not None else (load_model(model.path), load_tokenizer(model.path))
    unique = list({question.key: question for question in questions}.values())
    for question, reply in _answer(unique, set(replies), loaded, tokenizer, batch_size):
        append_line(store, make_row(question, reply, model=model.name, revision=model.sha256[:16]))
        replies[reply.key] = reply
        progress(len(replies), total)
    return replies


def _answer(
    questions: Sequence[Question],
    known: set[str],
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    batch_size: int,
) -> Iterator[tuple[Question, Reply]]:
    for settings, group in _groups(questions, batch_size):
        lengths = [len(prompt_ids(tokenizer, question.messages)) for question in group]
        room = model.config.max_position_embeddings - settings.max_new_tokens
        fitting = [question for question, length in zip(group, lengths, strict=True) if length <= room]
        for question, length in zip(group, lengths, strict=True):
            if length > room and question.key not in known:
                yield question, Reply(question.key, "", NO_ROOM, length, 0, None, 0.0)
        done = {index for index, question in enumerate(fitting) if question.key in known}
        counts = {question.key: length for question, length in zip(group, lengths, strict=True)}
        start = time.monotonic()
        for batch in generate_batches(
            model, tokenizer, [question.messages for question in fitting], settings, done=done
        ):
            each = round((time.monotonic() - start) / len(batch), 3)
            for index in batch.keys() - done:
                yield fitting[index], _reply(fitting[index], batch[index], counts[fitting[index].key], each)
            start = time.monotonic()


def _groups(questions: Sequence[Question], batch_size: int) -> Iterator[tuple[GenerateSettings, list[Question]]]:
    """Put together what is sampled alike."""

    def sampling(question: Question) -> tuple[float, int, float, int]:
        top_p = 1.0 if question.top_p is None or not question.temperature else question.top_p
        return question.temperature, question.max_tokens, top_p, question.seed or 0

    for (temperature, max_tokens, top_p, seed), group in groupby(sorted(questions, key=sampling), sampling):
        yield (
            GenerateSettings(
                max_new_tokens=max_tokens, batch_size=batch_size, temperature=temperature, top_p=top_p, seed=seed
            ),
            list(group),
        )


def _reply(question: Question, answer: Answer, asked: int, seconds: float) -> Reply:
    return Reply(question.key, answer.text, FINISH[answer.finish], asked, answer.tokens, None, seconds)
