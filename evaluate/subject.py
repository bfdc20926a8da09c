"""Who is measured: a base model, and what was tuned from it; loaded when one of them is first asked something."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..collect.item import content_hash
from ..models import ModelFolder, load_model, load_tokenizer
from ..runs import read_json
from ..train.adapter import adapter_sha256, is_whole
from .estimate import ModelIdentity

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Who = Literal["base", "tuned"]
DTYPE = "bfloat16"
"""What `load_model` loads in."""
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
            with tuned.disable_adapter():
                yield tuned

    def identity(self, who: Who) -> ModelIdentity:
        """Return which model exactly one of them is."""
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
        adapter = self.adapter_sha256 if who == "tuned" else ""
        return content_hash([self.base.sha256, adapter, self.chat_template, DTYPE, self.device])


def open_subject(base: ModelFolder, adapter: Path | None = None) -> Subject:
    """Name a model, and what was tuned from it, without loading either.

    Raises:
        UserError: the folder holds no whole adapter.
    """
    adapter = adapter.resolve() if adapter is not None else None
    where = _tokenizer_folder(base, adapter)
    return Subject(
        base=base,
        adapter=adapter,
        adapter_sha256=adapter_sha256(adapter) if adapter is not None else "",
        chat_template=_template(where),
        device=_device(),
        models=cache(lambda: _load(base, adapter)),
        read_tokenizer=cache(lambda: load_tokenizer(where)),
    )


def _load(base: ModelFolder, adapter: Path | None) -> Loaded:
    if adapter is None:
        model = load_model(base.path)
        return Loaded(model, model)
    if is_whole(adapter):
        return Loaded(load_model(adapter), load_model(base.path))
    return Loaded(load_model(base.path, adapter=adapter), None)


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
