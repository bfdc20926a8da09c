"""In which order candidates are shown. The key lies in the run folder, never in Argilla."""

import hashlib
import hmac
import secrets
from pathlib import Path

from ..runs import write_text
from .item import LETTERS, Side


def read_side_key(path: Path) -> bytes:
    """Return the run's side key, drawn and stored (mode 0600) on first use. Without it no vote can be read back."""
    if not path.exists():
        write_text(path, secrets.token_hex(32) + "\n", mode=0o600)
    return bytes.fromhex(path.read_text(encoding="utf-8").strip())


def left_side(key: bytes, item_id: str) -> Side:
    """Return the candidate shown first: a fair coin per item that only the key's holder can toss again."""
    return "B" if _draw(key, item_id)[0] & 1 else "A"


def shown_order(key: bytes, item_id: str, count: int) -> str:
    """Return the letters of `count` candidates in the order shown: each of the orders is as likely as any other."""
    if count == 2:
        left = left_side(key, item_id)
        return left + other(left)
    return "".join(sorted(LETTERS[:count], key=lambda letter: _draw(key, f"{item_id}:{letter}")))


def left_of(order: str) -> Side:
    """Return which of A and B comes first in an order."""
    return "A" if order.index("A") < order.index("B") else "B"


def other(side: Side) -> Side:
    """Return the other side."""
    return "B" if side == "A" else "A"


def _draw(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
