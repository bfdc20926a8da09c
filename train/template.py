"""The chat template that conversations are rendered with: the base's own, or one that the recipe names."""

import hashlib
from typing import TYPE_CHECKING

from ..errors import UserError
from ..models import ModelFolder, load_tokenizer
from .settings import TrainSettings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PROBE = [{"role": "user", "content": "Where is my parcel?"}, {"role": "assistant", "content": "It arrives today."}]


def load_training_tokenizer(base: ModelFolder, settings: TrainSettings) -> "PreTrainedTokenizerBase":
    """Load the base's tokenizer, with the recipe's chat template in place of its own if there is one.

    Raises:
        UserError: the template can't be read, is no Jinja, or leaves out what was said.
    """
    tokenizer = load_tokenizer(base.path)
    if settings.chat_template is not None:
        tokenizer.chat_template = _read(settings)
        _try(tokenizer, settings)
    return tokenizer


def template_sha256(settings: TrainSettings) -> str | None:
    """Return the SHA-256 of the template that the recipe names, None if it names none. Raises UserError."""
    return hashlib.sha256(_read(settings).encode()).hexdigest() if settings.chat_template else None


def _read(settings: TrainSettings) -> str:
    assert settings.chat_template is not None
    try:
        return settings.chat_template.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"chat_template {settings.chat_template} can't be read: {error}") from error


def _try(tokenizer: "PreTrainedTokenizerBase", settings: TrainSettings) -> None:
    import jinja2

    try:
        # transformers renders templates in Jinja's sandbox.
        text = str(tokenizer.apply_chat_template(PROBE, tokenize=False))
        tokenizer.apply_chat_template(PROBE[:1], tokenize=False, add_generation_prompt=True)
    except (jinja2.TemplateError, TypeError, ValueError) as error:
        raise UserError(f"chat_template {settings.chat_template} does not render a conversation: {error}") from error
    missing = [turn["content"] for turn in PROBE if turn["content"] not in text]
    if missing:
        raise UserError(f"chat_template {settings.chat_template} leaves out what was said: {missing[0]!r}")
