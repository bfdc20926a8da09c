"""An item as a small page of its own inside Argilla's: rendered Markdown, and answers side by side.

Argilla shows a text field that holds HTML in a frame that shares the annotator's login. So the page is built to be safe
without trusting that frame: texts are escaped or rendered here, Markdown keeps raw HTML as letters and loads no image,
links can't be followed, and a content security policy lets no script but ours run and nothing be fetched. Argilla's
custom fields are not used: they write the annotator's own answers into the frame unescaped, so that a critique about
`</script>` would break the page, or run.
"""

import base64
import hashlib
import html
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ..item import Message
from .form import FormSettings

VERSION = 1
"""Part of the protocol: to be raised when the page shows an item differently, not for a repair of its looks."""


def page(prompt: Sequence[Message], answers: Sequence[str], form: FormSettings) -> str:
    """Return the HTML that shows an item: its conversation, and its answers in the order given."""
    said = "".join(_box(message.role, f"message {message.role}", message.content, form) for message in prompt)
    answered = (_box(f"Answer {place}", "answer", text, form) for place, text in enumerate(answers, 1))
    before, after = _frame()
    return f'{before}{said}<div class="answers {form.layout}">{"".join(answered)}</div>{after}'


@cache
def _frame() -> tuple[str, str]:
    """Return what stands before and after the content, with the hash of our script filled in."""
    text = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    script = text.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    before, after = text.replace("{script_hash}", f"sha256-{digest}").split("{content}")
    return before, after


def _box(name: str, classes: str, text: str, form: FormSettings) -> str:
    kind = "text" if form.markdown else "text letters"
    shown = _renderer().render(text).strip() if form.markdown else html.escape(text, quote=False)
    return f'<section class="{classes}"><p class="name">{name}</p><div class="{kind}">{shown}</div></section>'


@cache
def _renderer() -> Any:
    from markdown_it import MarkdownIt

    # CommonMark and tables, with chat's line breaks. No image is loaded: `![x](y)` becomes a link.
    renderer = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    renderer.disable("image")
    renderer.add_render_rule("link_open", _link_open)
    renderer.add_render_rule("link_close", _link_close)
    return renderer


def _link_open(*_: Any) -> str:
    return '<span class="link">'


def _link_close(_: Any, tokens: Sequence[Any], index: int, *__: Any) -> str:
    """Write a link's address behind it: who judges an answer must see where it points, and a frame must not follow."""
    start = max(place for place in range(index) if tokens[place].type == "link_open")
    address, text = str(tokens[start].attrs["href"]), "".join(token.content for token in tokens[start + 1 : index])
    return "</span>" if address == text else f'</span> <span class="url">({html.escape(address)})</span>'
