"""lm-eval, asked for one task at a time, silently, with its own seeds."""

import io
import logging
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...collect.item import content_hash

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Task = Any
"""lm-eval's ConfigurableTask."""
Model = Any
"""lm-eval's HFLM."""
RESAMPLES = 1000
"""For the standard error of metrics that are no mean; that of means needs none."""
GENERATED = 30
"""About how much longer a generated answer takes than a scored one, so that the progress grows evenly."""
DEFAULT_NEW_TOKENS = 256
"""What lm-eval generates at most where a task says nothing."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How questions are put to the model."""

    limit: int | None
    apply_chat_template: bool
    fewshot_as_multiturn: bool


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a task and what the model got for it."""

    doc_id: int
    doc_hash: str
    cluster: str
    """The hash of what it shares with others (a text, or the row's own `cluster`); empty where it stands alone."""
    metrics: dict[str, float | list[bool]]
    """By lm-eval's name, `acc,none`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What lm-eval found on one task."""

    results: dict[str, Any]
    """The task's entry in lm-eval's results."""
    items: tuple[Item, ...]
    questions: int
    """In the whole data set."""
    shots: int


@dataclass(frozen=True, slots=True)
class Cut:
    """Prompts that the model can't read whole: lm-eval cuts off their beginning."""

    ids: tuple[str, ...] = ()
    no_room: int | None = field(default=None)
    """The tokens that the task lets the model write, where its context leaves none for the prompt."""


def build_task(path: Path) -> Task:
    """Let lm-eval build a task from its file, which fetches its data; no index of all its tasks is made."""
    from lm_eval.tasks import TaskManager

    with silenced():
        # Some tasks shuffle their choices while they are built.
        random.seed(0)
        built = TaskManager(include_defaults=False).load([str(path)])["tasks"]
    task = next(iter(built.values()))
    if task.config.num_fewshot is None:
        task.set_config(key="num_fewshot", value=0)
    task.set_fewshot_seed(seed=1234)
    return task


def requests_of(task: Task, asked: Asked, tokenizer: "PreTrainedTokenizerBase") -> list[Any]:
    """Return what lm-eval would ask, without a model."""

    def chat(history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return str(
            tokenizer.apply_chat_template(
                history,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                continue_final_message=not add_generation_prompt,
            )
        )

    with silenced():
        task.build_all_requests(
            limit=asked.limit,
            apply_chat_template=asked.apply_chat_template,
            fewshot_as_multiturn=asked.apply_chat_template and asked.fewshot_as_multiturn,
            chat_template=chat if asked.apply_chat_template else None,
            tokenizer_name="",
        )
    return list(task.instances)


def find_cut(requests: list[Any], tokenizer: "PreTrainedTokenizerBase", context: int) -> Cut:
    """Find the prompts that don't fit into the context, by lm-eval's rules.

    Args:
        requests: Of `requests_of`.
        tokenizer: The model's.
        context: The model's, in tokens.
    """
    cut: dict[int, None] = {}
    no_room = None
    for request in requests:
        text, room = request.args[0], context + 1
        if request.request_type == "generate_until":
            new = new_tokens(request.args[1])
            no_room, room = (new if new >= context else no_room), context - new
        else:
            text = text + request.args[1]
        # A token is at least a byte, so a short text needs no counting.
        if len(text.encode()) > room and len(tokenizer(text)["input_ids"]) > room:
            cut[request.doc_id] = None
    return Cut(tuple(str(doc) for doc in cut), no_room)


def new_tokens(settings: Mapping[str, Any]) -> int:
    """Return how many tokens a task lets the model write, under whichever name it says so."""
    names = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
    return int(next((settings[name] for name in names if name in settings), DEFAULT_NEW_TOKENS))


def work_of(requests: list[Any]) -> int:
    """Return about how much work the requests are, in scored answers."""
    return sum(GENERATED if request.request_type == "generate_until" else 1 for request in requests)


def wrap_model(
    model: Any, tokenizer: "PreTrainedTokenizerBase", batch_size: int, advance: Callable[[int], None]
) -> Model:
    """Return a loaded model as lm-eval takes it, telling after each batch how much work was done."""
    from lm_eval.models.huggingface import HFLM

    class Counted(HFLM):
        def _model_call(self, inps: Any, *args: Any, **kwargs: Any) -> Any:
            found = super()._model_call(inps, *args, **kwargs)
            advance(len(inps))
            return found

        def _model_generate(self, context: Any, *args: Any, **kwargs: Any) -> Any:
            found = super()._model_generate(context, *args, **kwargs)
            advance(GENERATED * len(context))
            return found

    with silenced():
        return Counted(pretrained=model, tokenizer=tokenizer, batch_size=batch_size)


def ask(model: Model, task: Task, asked: Asked) -> Outcome:
    """Let lm-eval ask one task of a model."""
    import numpy as np
    import torch
    from lm_eval.evaluator import evaluate

    random.seed(0)
    np.random.seed(1234)
    torch.manual_seed(1234)
    name = task.config.task
    with silenced():
        found = evaluate(
            model,
            {"tasks": {name: task}},
            limit=asked.limit,
            bootstrap_iters=RESAMPLES,
            log_samples=True,
            apply_chat_template=asked.apply_chat_template,
            fewshot_as_multiturn=asked.apply_chat_template and asked.fewshot_as_multiturn,
        )
    entry = {key: plain for key, value in found["results"][name].items() if (plain := _plain(value)) is not None}
    return Outcome(entry, _items(found["samples"][name]), len(task.eval_docs), int(task.config.num_fewshot or 0))


def _items(samples: list[dict[str, Any]]) -> tuple[Item, ...]:
    """Join the rows of one question's filters into one item."""
    found: dict[int, Item] = {}
    for row in samples:
        item = found.setdefault(row["doc_id"], Item(row["doc_id"], row["doc_hash"], _cluster(row["doc"]), {}))
        for metric in row["metrics"]:
            if (value := _plain(row[metric])) is not None:
                item.metrics[f"{metric},{row['filter']}"] = value
    return tuple(found[doc] for doc in sorted(found))


def _cluster(doc: Mapping[str, Any]) -> str:
    # MuSR asks several questions about a story; GPQA's smaller sets are parts of its larger ones.
    shared = doc.get("cluster") or doc.get("narrative") or doc.get("Question")
    return content_hash(shared) if shared else ""


def _plain(value: Any) -> Any:
    """Return a number, a text or a list of yes and no as JSON takes it; None for what is none of these."""
    if isinstance(value, list) and all(isinstance(one, bool) for one in value):
        return value
    if isinstance(value, str):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else number


@contextmanager
def silenced() -> Iterator[None]:
    """Keep lm-eval's and datasets' bars, prints and advice off the terminal, but not a progress bar of ours."""
    heard = _Unheard(sys.stderr)
    loggers = [logging.getLogger(name) for name in ("lm_eval", "datasets", "transformers")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with redirect_stderr(heard), redirect_stdout(io.StringIO()):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


class _Unheard(io.StringIO):
    """Swallows what is written to it; rich's console asks for the stream behind it, and finds the real one."""

    def __init__(self, real: Any) -> None:
        super().__init__()
        self.rich_proxied_file = real.rich_proxied_file if hasattr(real, "rich_proxied_file") else real
