"""Writers: the models that write candidate answers for people to choose between.

A writer is a local model, with an adapter on top if asked, or one behind any OpenAI-compatible endpoint; vLLM is used
through its own server (`vllm serve MODEL`). What was written is kept line by line, so a killed sampling goes on.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ...asking import EndpointSettings, ask, make_question
from ...asking.generate import GenerateSettings, generate_batches
from ...asking.question import NO_ROOM
from ...errors import UserError
from ...models import ModelFolder, fingerprint, load_model, load_tokenizer, resolve_model
from ...runs import Progress, append_line, read_json, read_lines, silent
from ..item import Message, Origin, content_hash, prompt_rows

SEEDS = 1_000_003
"""Apart from each other the seeds of two answers to the same prompts, since a batch adds its number to them."""


class WriterSettings(BaseModel):
    """One model and how it samples."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str | None = None
    """A local folder or a Hub name, or the name at `endpoint`. Unset, the recipe's base model writes."""
    revision: str | None = None
    """A Hub revision."""
    adapter: Path | None = None
    """An adapter folder on top of the model, for example the one of the round before."""
    endpoint: str | None = None
    """An OpenAI-compatible base URL, for example `http://127.0.0.1:8000/v1`; unset, the model runs here."""
    api_key_env: str | None = None
    """The environment variable that holds the endpoint's key. The key itself never stands in a recipe."""
    count: int = Field(default=1, ge=1, le=10)
    """Answers to each prompt."""
    temperature: float = Field(default=0.8, ge=0)
    """0 takes the likeliest token each time: then a second answer would be the first one again."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """Sample only from the likeliest tokens that reach this probability together."""
    max_new_tokens: int = Field(default=256, gt=0)
    """The longest answer, in tokens; longer ones are cut off, counted and left out."""
    batch_size: int = Field(default=16, gt=0)
    """Prompts answered at once by a local model; a kill loses at most so many answers."""

    @field_validator("endpoint")
    @classmethod
    def _no_credentials(cls, endpoint: str | None) -> str | None:
        if endpoint and "@" in endpoint:
            raise ValueError("endpoint must not hold a user or password: it is written into the lineage")
        return endpoint

    @model_validator(mode="after")
    def _makes_sense(self) -> "WriterSettings":
        if self.endpoint and (self.model is None or self.adapter is not None):
            raise ValueError("a writer with an endpoint needs the model's name there, and can't take an adapter folder")
        if self.temperature == 0 and self.count > 1:
            raise ValueError("count above 1 needs a temperature above 0: greedy answers are all the same")
        return self


class SampleSettings(BaseModel):
    """Candidates for the prompts of a file, by one writer or several."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompts: Path
    """JSON lines {"prompt": text or [{"role", "content"}, …], "tags": […]}."""
    writers: tuple[WriterSettings, ...] = Field(default=(WriterSettings(count=2),), min_length=1)
    """Who writes; together at least two answers to a prompt."""
    seed: int = Field(default=0, ge=0)
    """Of the sampling."""
    near_duplicate: float = Field(default=0.9, gt=0, le=1)
    """Two answers whose words and word pairs overlap this much (Jaccard) are the same answer to an annotator."""
    hide: tuple[str, ...] = ()
    """More names, beside the well-known models and makers, that would tell who wrote an answer."""

    @model_validator(mode="after")
    def _two_at_least(self) -> "SampleSettings":
        if sum(writer.count for writer in self.writers) < 2:
            raise ValueError("writers must write at least two answers to a prompt: raise count or add a writer")
        return self


@dataclass(frozen=True, slots=True)
class Written:
    """One answer by one writer."""

    prompt_id: str
    text: str
    tokens: int
    finish: Literal["eos", "length"]
    origin: Origin


Batch = dict[int, tuple[str, int, Literal["eos", "length"]]]
"""Text, tokens and finish by prompt (index)."""


@dataclass(frozen=True, slots=True)
class _Writer:
    origin: Origin
    write: Callable[[int, set[int], Callable[[int], None]], Iterator[Batch]]
    """From the answer's number and the prompts (by index) that have it already, to answers by prompt; the last is told
    how many prompts have one where that is known before the answers are handed out."""


def write_candidates(
    prompts: Mapping[str, Sequence[Message]],
    settings: SampleSettings,
    *,
    base: str,
    path: Path,
    progress: Progress = silent,
) -> list[Written]:
    """Let every writer answer every prompt.

    Args:
        prompts: Conversations by prompt id; each ends with a user's message.
        settings: Who writes, and how.
        base: The model of writers that name none.
        path: JSON lines of what was written; called again after a kill, with the same arguments, it goes on from there.
            What endpoints reply lies beside it, in `<name>.replies.jsonl`.
        progress: Called with answers written and answers in all.

    Returns:
        All answers, prompt by prompt, writers in their order.

    Raises:
        UserError: a model can't be had, a prompt is too long for it, or an endpoint refuses.
    """
    stored = {(row["key"], row["prompt_id"]): row for row in read_lines(path)}
    columns: list[list[Written]] = []
    total = sum(writer.count for writer in settings.writers) * len(prompts)
    for writer_settings in settings.writers:
        replies = path.with_name(f"{path.stem}.replies.jsonl")
        writer = _open_writer(writer_settings, base, list(prompts.values()), settings.seed, replies)
        for number in range(writer_settings.count):
            key = _key(writer.origin, number, prompts)
            before = len(columns) * len(prompts)

            def report(count: int, before: int = before) -> None:
                progress(before + count, total)

            _write_column(writer, number, key, list(prompts), stored, path, report)
            columns.append([_written(stored[key, name], _numbered(writer.origin, number)) for name in prompts])
    return [answer for row in zip(*columns, strict=True) for answer in row]


def _write_column(
    writer: _Writer,
    number: int,
    key: str,
    names: Sequence[str],
    stored: dict[tuple[str, str], Any],
    path: Path,
    report: Callable[[int], None],
) -> None:
    """Let a writer give every prompt its answer of this number, where it has none yet; report how many have one."""
    done = {index for index, name in enumerate(names) if (key, name) in stored}
    for batch in writer.write(number, done, report):
        for index in batch.keys() - done:
            text, tokens, finish = batch[index]
            row = {"key": key, "prompt_id": names[index], "text": text, "tokens": tokens, "finish": finish}
            append_line(path, row)
            stored[key, names[index]] = row
        report(sum((key, name) in stored for name in names))
    report(len(names))


def _written(row: Mapping[str, Any], origin: Origin) -> Written:
    return Written(row["prompt_id"], row["text"], row["tokens"], row["finish"], origin)


def _key(origin: Origin, number: int, prompts: Mapping[str, Sequence[Message]]) -> str:
    """Return the hash of all that an answer depends on; a batch's rounding depends on all the prompts."""
    asked = [origin.name, origin.revision, origin.sampling, number, [prompt_rows(rows) for rows in prompts.values()]]
    return content_hash(asked)


def _numbered(origin: Origin, number: int) -> Origin:
    return Origin(origin.kind, origin.name, origin.revision, None, origin.sampling | {"number": number})


def _open_writer(
    settings: WriterSettings, base: str, prompts: Sequence[Sequence[Message]], seed: int, replies: Path
) -> _Writer:
    sampling: dict[str, str | int | float | bool] = {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "max_new_tokens": settings.max_new_tokens,
        "seed": seed,
    }
    if settings.endpoint:
        origin = Origin("model", str(settings.model), None, None, sampling | {"endpoint": settings.endpoint})

        def write_there(number: int, done: set[int], report: Callable[[int], None]) -> Iterator[Batch]:
            if len(done) < len(prompts):
                yield _ask_all(settings, prompts, seed + number, done, replies, report)

        return _Writer(origin, write_there)
    folder = resolve_model(settings.model or base, revision=settings.revision)
    name = folder.name + (f" + adapter {_adapter_hash(settings.adapter, folder)}" if settings.adapter else "")
    # The batch size is part of it: rounding in bfloat16 depends on the batch.
    origin = Origin("model", name, folder.sha256[:16], None, sampling | {"batch_size": settings.batch_size})
    loaded: list[Any] = []

    def write(number: int, done: set[int], report: Callable[[int], None]) -> Iterator[Batch]:
        if len(done) == len(prompts):
            return
        if not loaded:  # once a writer, and only where something is still owed
            loaded.extend((load_model(folder.path, adapter=settings.adapter), load_tokenizer(folder.path)))
        generation = GenerateSettings(
            max_new_tokens=settings.max_new_tokens,
            batch_size=settings.batch_size,
            temperature=settings.temperature,
            top_p=settings.top_p if settings.temperature else 1.0,
            seed=seed + number * SEEDS,
        )
        for batch in generate_batches(loaded[0], loaded[1], prompts, generation, done=done):
            yield {index: (answer.text, answer.tokens, answer.finish) for index, answer in batch.items()}

    return _Writer(origin, write)


def _adapter_hash(adapter: Path, base: ModelFolder) -> str:
    if not (adapter / "adapter_config.json").exists():
        raise UserError(f"{adapter} is no adapter folder: it has no adapter_config.json")
    if not (adapter / "prefloop.json").exists():  # somebody else's: nothing says what it was trained on
        return fingerprint(adapter)[:16]
    record = read_json(adapter / "prefloop.json")
    if record["base_sha256"] != base.sha256:
        raise UserError(
            f"{adapter} was trained on {record['base_name']}, and {base.name} has other weights than that had"
        )
    return str(record["sha256"])[:16]


def _ask_all(
    settings: WriterSettings,
    prompts: Sequence[Sequence[Message]],
    seed: int,
    done: set[int],
    store: Path,
    report: Callable[[int], None],
) -> Batch:
    """Put the prompts that aren't done to the endpoint; what came of them is in the store, whatever happens."""
    to = EndpointSettings(base_url=str(settings.endpoint), model=str(settings.model), api_key_env=settings.api_key_env)
    asked = {
        index: make_question(
            to,
            prompt,
            max_tokens=settings.max_new_tokens,
            temperature=settings.temperature,
            top_p=settings.top_p,
            seed=seed,
        )
        for index, prompt in enumerate(prompts)
        if index not in done
    }
    replies = ask(list(asked.values()), to, store, lambda had, total: report(len(done) + had))
    answers = {index: replies[question.key] for index, question in asked.items()}
    if tight := [index for index, reply in answers.items() if reply.finish == NO_ROOM]:
        raise UserError(
            f"{len(tight)} of {len(prompts)} prompts are longer than the context of {settings.model} at "
            f"{settings.endpoint} (the first begins: {prompts[tight[0]][-1].content[:60]!r}); shorten or leave them out"
        )
    return {
        index: (reply.text.strip(), reply.output_tokens or 0, "length" if reply.finish == "length" else "eos")
        for index, reply in answers.items()
    }
