"""A turn of a conversation, and hashes of what was said."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


def content_hash(value: object) -> str:
    """Return 16 hex digits of the SHA-256 of `value` as canonical JSON."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def prompt_rows(prompt: Sequence[Message]) -> list[list[str]]:
    """Return the prompt as plain rows of (role, content)."""
    return [[message.role, message.content] for message in prompt]
