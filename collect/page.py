"""An item as a small page of its own inside Argilla's: rendered Markdown, and answers side by side.

Argilla shows a custom field in a frame that shares the annotator's login. So the page is built to be safe without
trusting that frame: texts are escaped or rendered here, Markdown keeps raw HTML as letters and loads no image, links
can't be followed, and a content security policy lets neither scripts but ours run nor anything be fetched.
"""

import base64
import hashlib
import html
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from .argilla import Json
from .form import FormSettings
from .item import Message

VERSION = 1
"""Part of the protocol: to be raised when the page shows an item differently, not for a repair of its looks."""


@cache
def template() -> str:
    """Return the page, in the form of Argilla's custom fields."""
    text = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    script = text.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return text.replace("{script_hash}", f"sha256-{digest}")


def page(prompt: Sequence[Message], answers: Sequence[str], form: FormSettings) -> Json:
    """Return what the page shows of an item: its conversation, and its answers in the order shown."""
    return {
        "markdown": form.markdown,
        "layout": form.layout,
        "messages": [{"role": message.role, "html": _text(message.content, form)} for message in prompt],
        "answers": [_text(answer, form) for answer in answers],
    }


def _text(text: str, form: FormSettings) -> str:
    shown = _renderer().render(text).strip() if form.markdown else html.escape(text)
    # Argilla puts a record into its frame with JavaScript's `replace`, which gives `$` and `#TEMPLATE#` a meaning.
    return str(shown).replace("#", "&#35;").replace("$", "&#36;")


@cache
def _renderer() -> Any:
    from markdown_it import MarkdownIt

    # CommonMark and tables, with chat's line breaks. No image is loaded: `![x](y)` becomes a link.
    renderer = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    renderer.disable("image")
    renderer.add_render_rule("link_open", _link_open)
    renderer.add_render_rule("link_close", _link_close)
    return renderer


def _link_open(_: Any, tokens: Sequence[Any], index: int, *__: Any) -> str:
    return '<span class="link">'


def _link_close(_: Any, tokens: Sequence[Any], index: int, *__: Any) -> str:
    """Write a link's address behind it: who judges an answer must see where it points, and a frame must not follow."""
    start = max(place for place in range(index) if tokens[place].type == "link_open")
    address, text = str(tokens[start].attrs["href"]), "".join(token.content for token in tokens[start + 1 : index])
    return "</span>" if address == text else f'</span> <span class="url">({html.escape(address)})</span>'
