"""The models that are asked: known by their files before any is loaded, and loaded only if something is still owed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...collect.item import content_hash
from ...models import ModelFolder, load_model, load_tokenizer
from ...runs import read_json
from ...train.adapter import adapter_sha256, is_whole
from ..estimate import ModelIdentity
from ..measured import Subject, Who, load_subject

DTYPE = "bfloat16"
"""What `load_model` loads in."""
GPUS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""One of them is there wherever torch finds a GPU: NVIDIA's, Windows' and AMD's."""


@dataclass(frozen=True, slots=True)
class Contenders:
    """One model, or a base and what was tuned from it."""

    base: ModelFolder
    adapter: Path | None
    """An adapter's folder, or that of a whole tuned model."""
    adapter_sha256: str
    chat_template: str | None
    device: str
    subject: Callable[[], Subject]
    """Loads them; costly, so call it once."""

    @property
    def sides(self) -> tuple[Who, ...]:
        """Who is asked."""
        return ("base",) if self.adapter is None else ("base", "tuned")

    @property
    def tokenizer_folder(self) -> Path:
        """Where the tokenizer and its chat template lie."""
        own = self.adapter
        return own if own is not None and (own / "tokenizer_config.json").exists() else self.base.path

    @property
    def context(self) -> int:
        """The longest sequence the model takes, in tokens; 2048, as lm-eval says, where its config names none."""
        config = read_json(self.base.path / "config.json")
        names = ("n_positions", "max_position_embeddings", "n_ctx")
        return int(next((config[name] for name in names if config.get(name)), 2048))

    def identity(self, who: Who) -> ModelIdentity:
        """Return which model exactly one of them is."""
        if who == "base" or self.adapter is None:
            return ModelIdentity(self.base.name, self.base.revision, self.base.sha256)
        name = self.adapter.name if is_whole(self.adapter) else f"{self.base.name} + {self.adapter.name}"
        return ModelIdentity(name, "local", self.adapter_sha256)

    def key(self, who: Who) -> str:
        """Return the hash of everything about the model that an answer depends on."""
        adapter = self.adapter_sha256 if who == "tuned" else ""
        return content_hash([self.base.sha256, adapter, self.chat_template, DTYPE, self.device])

    def model_args(self, who: Who) -> str:
        """Return what lm-eval's own command calls the model."""
        own = self.adapter is not None and who == "tuned"
        whole = own and self.adapter is not None and is_whole(self.adapter)
        said = [f"pretrained={self.adapter if whole else self.base.path}", f"dtype={DTYPE}"]
        said += [f"peft={self.adapter}"] if own and not whole else []
        said += [f"tokenizer={self.tokenizer_folder}"] if self.tokenizer_folder != self.base.path else []
        return ",".join(said)


def contenders(base: ModelFolder, adapter: Path | None = None, *, batch_size: int = 16) -> Contenders:
    """Name a model, and what was tuned from it, without loading either."""
    where = Path()
    adapter = adapter.resolve() if adapter is not None else None

    def subject() -> Subject:
        if adapter is not None:
            return load_subject(adapter, base, batch_size=batch_size, folder=where)
        model = load_model(base.path)
        return Subject(model, model, load_tokenizer(base.path), base.sha256, "", batch_size, where)

    sha256 = adapter_sha256(adapter) if adapter is not None else ""
    device = _device()
    named = Contenders(base, adapter, sha256, None, device, subject)
    return Contenders(base, adapter, sha256, _template(named.tokenizer_folder), device, subject)


def _device() -> str:
    """Return where a model would be loaded; torch takes seconds to import, and is asked only where there is a GPU."""
    if not any(Path(name).exists() for name in GPUS):
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def loaded(subject: Subject, base: ModelFolder, adapter: Path) -> Contenders:
    """Name models that are in memory already."""
    template: Any = subject.tokenizer.chat_template
    device = subject.model.device.type
    return Contenders(base, adapter, subject.adapter_sha256, template, device, lambda: subject)


def _template(folder: Path) -> str | None:
    """Return the chat template as the tokenizer would read it."""
    if (folder / "chat_template.jinja").exists():
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    config = folder / "tokenizer_config.json"
    found = read_json(config).get("chat_template") if config.exists() else None
    return found if isinstance(found, str) else None
