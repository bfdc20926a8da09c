"""Answers from a local model: batched, reproducible, and honest about the ones that were cut off."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..errors import UserError
from ..runs import Progress, silent
from .message import Message

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class GenerateSettings(BaseModel):
    """How answers are sampled."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_new_tokens: int = Field(default=128, gt=0)
    """The longest answer, in tokens."""
    batch_size: int = Field(default=32, gt=0)
    """Prompts answered at once."""
    temperature: float = Field(default=0.0, ge=0)
    """0 takes the likeliest token each time."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Sample only from the likeliest tokens that reach this probability together; needs a temperature above 0."""
    seed: int = Field(default=0, ge=0)
    """Of the sampling, together with a batch's place in the plan."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model wrote."""

    text: str
    tokens: int
    """Without the end token."""
    finish: Literal["eos", "length"]
    """`length` when it ran into `max_new_tokens`."""


def generate(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: Sequence[Sequence[Message]],
    settings: GenerateSettings,
    *,
    progress: Progress = silent,
) -> list[Answer]:
    """Answer every prompt, in the order given.

    Raises:
        UserError: a prompt leaves no room for an answer in the model's context.
    """
    answers: dict[int, Answer] = {}
    for batch in generate_batches(model, tokenizer, prompts, settings):
        answers |= batch
        progress(len(answers), len(prompts))
    return [answers[index] for index in range(len(prompts))]


def generate_batches(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: Sequence[Sequence[Message]],
    settings: GenerateSettings,
    *,
    done: Collection[int] = (),
) -> Iterator[dict[int, Answer]]:
    """Answer the prompts batch by batch, leaving out batches that `done` (indices into `prompts`) covers.

    The batches depend on all the prompts, not on what is done: rounding in bfloat16 depends on the batch, so that only
    the same batches make a resumed generation equal to an uninterrupted one.

    Yields:
        Answers by index into `prompts`.
    """
    ids = [prompt_ids(tokenizer, prompt) for prompt in prompts]
    _check_room(model, ids, settings)
    for number, batch in enumerate(batches([len(row) for row in ids], settings.batch_size)):
        if all(index in done for index in batch):
            continue
        rows = _generate(model, tokenizer, [ids[index] for index in batch], settings, settings.seed + number)
        yield dict(zip(batch, rows, strict=True))


def prompt_ids(tokenizer: "PreTrainedTokenizerBase", prompt: Sequence[Message]) -> list[int]:
    """Return the token ids of the prompt under the chat template, ready for the model's turn."""
    rows = [{"role": message.role, "content": message.content} for message in prompt]
    return list(tokenizer.apply_chat_template(rows, add_generation_prompt=True, return_dict=True)["input_ids"])


def batches(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Group indices into batches of at most `size`, longest first: little padding, and memory trouble shows at once."""
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    return [order[start : start + size] for start in range(0, len(order), size)]


def left_padded(rows: Sequence[Sequence[int]], pad: int, device: Any) -> dict[str, Any]:
    """Return `input_ids`, `attention_mask` and `position_ids` (batch, longest) with the padding on the left."""
    import torch

    width = max(len(row) for row in rows)
    ids = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows], device=device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=device)
    return {"input_ids": ids, "attention_mask": mask, "position_ids": (mask.cumsum(1) - 1).clamp(min=0)}


def pad_id(tokenizer: "PreTrainedTokenizerBase") -> int:
    """Return the padding token, or where the tokenizer names none, its end token: masked anyway."""
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    return int(pad)


def _check_room(model: "PreTrainedModel", ids: Sequence[Sequence[int]], settings: GenerateSettings) -> None:
    context = model.config.max_position_embeddings
    long = [len(row) for row in ids if len(row) + settings.max_new_tokens > context]
    if long:
        raise UserError(
            f"{len(long)} of {len(ids)} prompts leave no room for an answer of {settings.max_new_tokens} tokens in the "
            f"model's context of {context} (the longest prompt has {max(long)}); "
            "lower max_new_tokens or shorten the prompts"
        )


def _generate(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    rows: Sequence[Sequence[int]],
    settings: GenerateSettings,
    seed: int,
) -> list[Answer]:
    import torch

    inputs = left_padded(rows, pad_id(tokenizer), model.device)
    del inputs["position_ids"]  # generate() derives them from the mask
    with torch.inference_mode(), torch.random.fork_rng():
        torch.manual_seed(seed)
        output = model.generate(**inputs, **_sampling(settings), pad_token_id=pad_id(tokenizer))
    ends = _end_ids(model, tokenizer)
    written = output[:, inputs["input_ids"].shape[1] :].tolist()
    return [_answer(tokenizer, row, ends) for row in written]


def _sampling(settings: GenerateSettings) -> dict[str, Any]:
    greedy: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    sampled = {"do_sample": True, "temperature": settings.temperature, "top_p": settings.top_p, "top_k": 0}
    return {"max_new_tokens": settings.max_new_tokens, **(sampled if settings.temperature else greedy)}


def _end_ids(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> set[int]:
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    return {int(end) for end in [*ends, tokenizer.eos_token_id] if end is not None}


def _answer(tokenizer: "PreTrainedTokenizerBase", row: Sequence[int], ends: set[int]) -> Answer:
    stop = next((place for place, token in enumerate(row) if token in ends), None)
    kept = list(row if stop is None else row[:stop])
    text = str(tokenizer.decode(kept, skip_special_tokens=True)).strip()
    return Answer(text, len(kept), "length" if stop is None else "eos")
