"""Talking with a run's model, an exported one, or any model folder: answers token by token, with a memory."""

import re
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..collect import Message
from ..collect.sampling.generate import GenerateSettings, pad_id, prompt_ids
from ..errors import UserError
from ..models import load_model, load_tokenizer, quietly, resolve_model
from ..runs import read_json
from .folder import base_model, run_adapter
from .giving import read_run

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Speaker:
    """A model that answers."""

    name: str
    """What it is, for whoever talks with it."""
    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    as_base: Callable[[], AbstractContextManager[Any]] = nullcontext
    """Within it the model is the base: an adapter is switched off."""


@dataclass(slots=True)
class Talk:
    """One conversation with one model or, side by side, with a tuned model and its base."""

    speaker: Speaker
    settings: GenerateSettings
    base: Callable[[], Speaker] | None = None
    """Brings what it was trained from, where that is known."""
    system: str | None = None
    turns: list[Message] = field(default_factory=list)
    """What was said since the start or the last reset, without the system message."""

    def say(self, text: str) -> Generator[str, None, None]:
        """Answer in pieces as they are generated, and remember both; one left half-way is remembered as far as it got.

        Raises:
            UserError: the talk no longer fits into the model's context. What was said is then not remembered.
        """
        asked = [*self.turns, Message("user", text)]
        answer = ""
        pieces = stream(self.speaker, self._with_system(asked), self.settings)
        try:
            for piece in pieces:
                answer += piece
                yield piece
        finally:
            pieces.close()
            if answer:
                self.turns = [*asked, Message("assistant", answer.strip())]

    def compare(self, text: str) -> tuple[str, str]:
        """Return the base's and the tuned model's answer to the same words; the talk goes on with the tuned one's.

        Raises:
            UserError: there is no base to compare with, or the talk no longer fits into the context.
        """
        if self.base is None:
            raise UserError("there is no base to compare with: name a run or an export instead of a model folder")
        asked = self._with_system([*self.turns, Message("user", text)])
        before = "".join(stream(self.base(), asked, self.settings)).strip()
        return before, "".join(self.say(text)).strip()

    def reset(self) -> None:
        """Forget what was said; the system message stays."""
        self.turns = []

    def _with_system(self, turns: list[Message]) -> list[Message]:
        return [Message("system", self.system), *turns] if self.system else turns


def open_talk(folder: Path, settings: GenerateSettings, *, base: bool = False, system: str | None = None) -> Talk:
    """Load what the folder holds: a run's base and adapter, an export, or a model.

    Args:
        folder: A run, an export, or a model folder.
        settings: How answers are sampled.
        base: Talk with the base instead.
        system: A system message that stands before the talk.

    Raises:
        UserError: it is none of these, or nothing is trained yet.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; name a run, an export or a model folder")
    if (folder / "recipe.json").exists():
        speaker, other = _from_run(folder)
    elif (folder / "export.json").exists():
        speaker, other = _from_export(folder)
    else:
        speaker, other = _load(resolve_model(str(folder)).path, str(folder)), None
    if not base:
        return Talk(speaker, settings, other, system)
    if other is None:
        raise UserError(f"{folder} does not say what it was trained from; talk with it without --base")
    return Talk(other(), settings, None, system)


def stream(speaker: Speaker, turns: Sequence[Message], settings: GenerateSettings) -> Generator[str, None, None]:
    """Yield an answer in pieces as it is generated; closing the iterator stops the model.

    Raises:
        UserError: the conversation leaves no room for an answer.
    """
    from transformers import StoppingCriteria, TextIteratorStreamer

    ids = prompt_ids(speaker.tokenizer, turns)
    _require_room(speaker, len(ids), settings)
    stop = threading.Event()

    class Stop(StoppingCriteria):
        def __call__(self, *_: Any, **__: Any) -> Any:
            import torch

            return torch.tensor([stop.is_set()], device=speaker.model.device)

    streamer = TextIteratorStreamer(speaker.tokenizer, skip_prompt=True, skip_special_tokens=True)
    broken: list[BaseException] = []

    def work() -> None:
        try:
            _generate(speaker, ids, settings, streamer, Stop())
        except BaseException as error:  # told to whoever reads, in the reader's own thread
            broken.append(error)
            streamer.end()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield from (piece for piece in streamer if piece)
    finally:
        stop.set()
        thread.join()
    if broken:
        raise broken[0]


def _generate(speaker: Speaker, ids: list[int], settings: GenerateSettings, streamer: Any, stop: Any) -> None:
    import torch

    given = torch.tensor([ids], device=speaker.model.device)
    how: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    if settings.temperature:
        how = {"do_sample": True, "temperature": settings.temperature, "top_p": settings.top_p, "top_k": 0}
    with speaker.as_base(), torch.inference_mode(), torch.random.fork_rng():
        torch.manual_seed(settings.seed + len(ids))  # the same talk gives the same answers, and no two turns one draw
        speaker.model.generate(
            input_ids=given,
            attention_mask=torch.ones_like(given),
            max_new_tokens=settings.max_new_tokens,
            pad_token_id=pad_id(speaker.tokenizer),
            streamer=streamer,
            stopping_criteria=[stop],
            **how,
        )


def _require_room(speaker: Speaker, tokens: int, settings: GenerateSettings) -> None:
    context = int(speaker.model.config.max_position_embeddings)
    if tokens + settings.max_new_tokens > context:
        raise UserError(
            f"the talk has {tokens} tokens and leaves no room for {settings.max_new_tokens} more in the model's "
            f"context of {context}; start anew with /reset, or allow shorter answers"
        )


def _from_run(folder: Path) -> tuple[Speaker, Callable[[], Speaker]]:
    run, recipe = read_run(folder)
    adapter, base = run_adapter(run), base_model(recipe)
    if adapter.base_sha256 != base.sha256:
        raise UserError(f"the adapter in {folder} was trained on other weights than {base.name} has now; train again")
    name = f"{base.name} ({base.sha256[:8]})"
    if adapter.whole:
        tuned = _load(adapter.path, f"{recipe.name} ({adapter.sha256[:8]}), from {name}")
        return tuned, cache(lambda: _load(base.path, name))
    model, tokenizer = load_model(base.path, adapter=adapter.path), load_tokenizer(adapter.path)
    tuned = Speaker(f"adapter {recipe.name} ({adapter.sha256[:8]}) on {name}", model, tokenizer)
    return tuned, lambda: Speaker(name, model, tokenizer, model.disable_adapter)


def _from_export(folder: Path) -> tuple[Speaker, Callable[[], Speaker]]:
    record = read_json(folder / "export.json")
    gguf = next((path.name for path in sorted(folder.glob("*.gguf"))), None)
    name = f"{record['name']} ({gguf or 'safetensors'}, from {record['base']['name']})"
    return _load(folder, name, gguf=gguf), cache(lambda: _base_of(record))


def _base_of(record: dict[str, Any]) -> Speaker:
    named = record["base"]
    commit = named["revision"] if re.fullmatch(r"[0-9a-f]{40}", named["revision"]) else None
    base = resolve_model(named["name"], revision=commit)
    if base.sha256 != named["sha256"]:
        raise UserError(f"{base.name} has other weights now than those that this model was trained from")
    return _load(base.path, f"{base.name} ({base.sha256[:8]})")


def _load(folder: Path, name: str, *, gguf: str | None = None) -> Speaker:
    if gguf is None:
        return Speaker(name, load_model(folder), load_tokenizer(folder))
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with quietly():
        model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=gguf, dtype=torch.bfloat16).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=gguf)
    return Speaker(name, model.to("cuda") if torch.cuda.is_available() else model, tokenizer)
