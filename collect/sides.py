"""Which candidate is shown first. The key lies in the run folder, never in Argilla."""

import hashlib
import hmac
import secrets
from pathlib import Path

from ..runs import write_text
from .item import Side


def read_side_key(path: Path) -> bytes:
    """Return the run's side key, drawn and stored (mode 0600) on first use. Without it no vote can be read back."""
    if not path.exists():
        write_text(path, secrets.token_hex(32) + "\n", mode=0o600)
    return bytes.fromhex(path.read_text(encoding="utf-8").strip())


def left_side(key: bytes, item_id: str) -> Side:
    """Return the candidate shown first: a fair coin per item that only the key's holder can toss again."""
    coin = hmac.new(key, item_id.encode(), hashlib.sha256).digest()[0] & 1
    return "B" if coin else "A"


def other(side: Side) -> Side:
    """Return the other side."""
    return "B" if side == "A" else "A"
