"""What publishing can be told."""

from typing import Annotated

from pydantic import BaseModel, Field

from .data_settings import DataSettings
from .engines.gguf import Quantisation

Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]


class PublishSettings(BaseModel, extra="forbid", frozen=True):
    """How a release is named, licensed and packed."""

    repo: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+$")
    """The Hub name, `user/model`. The card's loading example uses it; without one it loads the release folder."""
    license: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9.+-]*$")
    """The licence of the adapter as the Hub spells it (`apache-2.0`). The card says so if there is none."""
    license_name: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9.+-]*$")
    """What the licence is called, where `license` is `other`."""
    license_link: str | None = Field(default=None, pattern=r"^(https://\S+|LICENSE(\.\w+)?)$")
    """Where its text is, where `license` is `other`: a web page, or `LICENSE` in the repository."""
    base_license: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9.+-]*$")
    """The base model's licence, from its own page; the release has to keep to it."""
    data_license: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9.+-]*$")
    """The licence of the data trained on, where they are not all your own; the release has to keep to it."""
    languages: tuple[Language, ...] = ()
    """Language codes (`en`) of the task."""
    tags: tuple[str, ...] = ()
    """Search tags beside prefloop's own."""
    limits: tuple[str, ...] = ()
    """What the model is not for, in your own sentences; the card lists them beside the report's caveats."""
    examples: bool = False
    """Whether the release shows sealed prompts with both models' answers. They are then no secret to later models."""
    private: bool = True
    """Whether a new repository on the Hub is private."""
    merged: bool = False
    """Whether the release also holds the whole model with the adapter merged in (`merged/`, as large as the base)."""
    gguf: Quantisation | None = None
    """Whether the release also holds the merged model as one GGUF file with a Modelfile, for Ollama, and how it is
    stored: `f32`, `bf16`, `f16`, `q8_0`."""
    data: DataSettings | None = None
    """How the votes are published beside the model; left out, they stay here."""
