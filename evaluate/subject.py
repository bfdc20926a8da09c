"""Who is measured: a base model, and what was tuned from it; loaded when one of them is first asked something.

The base of a training that went on from an adapter is the base with that adapter: what this round was given, and what
its policy was held to.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..collect.item import content_hash
from ..errors import UserError
from ..models import ModelFolder, load_model, load_tokenizer
from ..runs import read_json
from ..train.adapter import adapter_sha256, is_whole, read_adapter
from .estimate import ModelIdentity

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Who = Literal["base", "tuned"]
DTYPE = "bfloat16"
"""What `load_model` loads in."""
START = "start"
"""What PEFT calls the adapter that training went on from."""
GPUS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""One of them is there wherever torch finds a GPU: NVIDIA's, Windows' and AMD's."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Models in memory.

    Switching an adapter off makes its base, so that one model is there; a whole model has its base beside it.
    """

    tuned: "PeftModel | PreTrainedModel"
    """The base itself, where nothing was tuned."""
    base: "PreTrainedModel | None"
    """None where switching the adapter off makes it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A base model, alone or with what was tuned from it."""

    base: ModelFolder
    adapter: Path | None
    """An adapter's folder, or that of a whole tuned model."""
    adapter_sha256: str
    chat_template: str | None
    device: str
    """Where the models are, or will be."""
    models: Callable[[], Loaded]
    """Loads them, once."""
    read_tokenizer: Callable[[], "PreTrainedTokenizerBase"]
    """Reads it, once."""
    start: Path | None = None
    """The adapter that the base is asked with; the tuned model went on from it."""
    start_sha256: str = ""

    @property
    def sides(self) -> tuple[Who, ...]:
        """Who is asked."""
        return ("base",) if self.adapter is None else ("base", "tuned")

    @property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """What the tuned model was trained with."""
        return self.read_tokenizer()

    @property
    def tokenizer_folder(self) -> Path:
        """Where the tokenizer and its chat template lie."""
        return _tokenizer_folder(self.base, self.adapter)

    @property
    def context(self) -> int:
        """The longest sequence the model takes, in tokens; 2048, as lm-eval says, where its config names none."""
        config = read_json(self.base.path / "config.json")
        names = ("n_positions", "max_position_embeddings", "n_ctx")
        return int(next((config[name] for name in names if config.get(name)), 2048))

    @contextmanager
    def as_(self, who: Who) -> Iterator[Any]:
        """Yield the base or the tuned model, which it is while the context lasts."""
        loaded = self.models()
        if who == "tuned":
            yield loaded.tuned
        elif loaded.base is not None:
            yield loaded.base
        else:
            tuned: Any = loaded.tuned
            with _speaking_as(tuned, START) if self.start else tuned.disable_adapter():
                yield tuned

    def identity(self, who: Who) -> ModelIdentity:
        """Return which model exactly one of them is."""
        if who == "base" and self.start:
            return ModelIdentity(f"{self.base.name} + {_called(self.start)}", "local", self.start_sha256)
        if who == "base" or self.adapter is None:
            return ModelIdentity(self.base.name, self.base.revision, self.base.sha256)
        tuned = (
            f"{self.base.name}, all weights tuned"
            if is_whole(self.adapter)
            else f"{self.base.name} + {self.adapter.name}"
        )
        return ModelIdentity(tuned, "local", self.adapter_sha256)

    def key(self, who: Who) -> str:
        """Return the hash of everything about the model that an answer depends on."""
        adapter = self.adapter_sha256 if who == "tuned" else self.start_sha256
        return content_hash([self.base.sha256, adapter, self.chat_template, DTYPE, self.device])


def open_subject(base: ModelFolder, adapter: Path | None = None, start: Path | None = None) -> Subject:
    """Name a model, and what was tuned from it, without loading either.

    Args:
        base: The model, or what an adapter is to be put on.
        adapter: What was tuned.
        start: The adapter that its training went on from.

    Raises:
        UserError: a folder holds no whole adapter.
    """
    adapter = adapter.resolve() if adapter is not None else None
    where = _tokenizer_folder(base, adapter)
    return Subject(
        base=base,
        adapter=adapter,
        adapter_sha256=adapter_sha256(adapter) if adapter is not None else "",
        chat_template=_template(where),
        device=_device(),
        models=cache(lambda: _load(base, adapter, start)),
        read_tokenizer=cache(lambda: load_tokenizer(where)),
        start=start,
        start_sha256=adapter_sha256(start) if start is not None else "",
    )


def open_trained(base: ModelFolder, adapter: Path) -> Subject:
    """Name what prefloop trained, and what that training started from.

    Raises:
        UserError: the folder holds no whole adapter, or the one that it went on from is another now, or gone.
    """
    record = read_adapter(adapter)
    start = record.settings.base_adapter
    if start is not None and (not start.is_dir() or adapter_sha256(start) != record.base_adapter_sha256):
        raise UserError(
            f"{adapter} went on from the adapter {str(record.base_adapter_sha256)[:12]}, and {start} no longer holds "
            "it; put it back, for without it nobody can say what this training changed"
        )
    return open_subject(base, adapter, start)


def _load(base: ModelFolder, adapter: Path | None, start: Path | None) -> Loaded:
    if adapter is None:
        model = load_model(base.path)
        return Loaded(model, model)
    if is_whole(adapter):
        return Loaded(load_model(adapter), load_model(base.path))
    tuned: Any = load_model(base.path, adapter=adapter)
    if start is not None:
        tuned.load_adapter(str(start), adapter_name=START, autocast_adapter_dtype=False)
        tuned.eval()
    return Loaded(tuned, None)


@contextmanager
def _speaking_as(model: Any, adapter: str) -> Iterator[None]:
    before = model.active_adapter
    model.set_adapter(adapter, inference_mode=True)
    try:
        yield
    finally:
        model.set_adapter(before, inference_mode=True)


def _called(adapter: Path) -> str:
    """Return a name for an adapter's folder: of its run, where it lies in one."""
    return adapter.parent.parent.name if adapter.parts[-2:] == ("train", "adapter") else adapter.name


def _tokenizer_folder(base: ModelFolder, adapter: Path | None) -> Path:
    """Return the adapter's where it has one: it brings the chat template that prefloop trained with."""
    own = adapter is not None and (adapter / "tokenizer_config.json").exists()
    return adapter if own and adapter is not None else base.path


def _device() -> str:
    """Return where a model would be loaded; torch takes seconds to import, and is asked only where there is a GPU."""
    if not any(Path(name).exists() for name in GPUS):
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _template(folder: Path) -> str | None:
    """Return the chat template as the tokenizer would read it."""
    if (folder / "chat_template.jinja").exists():
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    config = folder / "tokenizer_config.json"
    found = read_json(config).get("chat_template") if config.exists() else None
    return found if isinstance(found, str) else None
