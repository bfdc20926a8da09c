"""A card as HTML that can be shown to anybody: what its author wrote is text, never code, and nothing is fetched."""

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from html import escape
from itertools import zip_longest
from pathlib import Path
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ..finding.folders import HEAD

PNG = b"\x89PNG\r\n\x1a\n"
LARGEST = 1_000_000
"""Bytes of a picture that a page takes in."""
ANCHOR = "card-"
"""Begins every id within a card, so that none can be mistaken for one of the page's own."""
FOLD = re.compile(r"<details( open)?>\s*<summary>([^<>]*)</summary>")
"""The one piece of HTML that prefloop's cards have."""
UNFOLD, COMMENT = "</details>", re.compile(r"<!--.*?-->", re.DOTALL)


def card_html(text: str, folder: Path, files: str) -> str:
    """Return a card's HTML without its metadata and first heading.

    Of HTML only `<details><summary>` on lines of its own works, without attributes; everything else is shown as text.
    Links lead to web pages, within the card, or into the repository; others lose their address. PNG files of the
    release's own folder are taken into the page; other pictures become their words.

    Args:
        text: The card.
        folder: The release's.
        files: The address under which the repository's files can be looked at; empty where there is none.
    """
    reader = MarkdownIt("commonmark").enable("table")
    tokens = reader.parse(HEAD.sub("", text, count=1).lstrip())
    if len(tokens) > 2 and tokens[0].type == "heading_open" and tokens[0].tag == "h1":
        tokens = tokens[3:]  # the page has the name already
    for token, following in zip_longest(tokens, tokens[1:]):
        _settle(token, following, folder, files)
    still_open = _settle_html(tokens)
    html = str(reader.renderer.render(tokens, reader.options, {})) + still_open * UNFOLD
    return html.replace("<table>", '<div class="scroll"><table>').replace("</table>", "</table></div>")


def anchor(words: str) -> str:
    """Return the id of a heading, as the Hub makes it of its words but for its beginning."""
    return ANCHOR + re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", words.strip().lower()))


def _settle(token: Token, following: Token | None, folder: Path, files: str) -> None:
    if token.type in ("heading_open", "heading_close"):
        token.tag = f"h{min(int(token.tag[1:]) + 1, 6)}"
    if token.type == "heading_open" and following is not None:
        token.attrSet("id", anchor(following.content.replace("`", "")))
    for child in token.children or ():
        if child.type == "html_inline":
            child.type = "text"  # is escaped when it is written
        elif child.type == "link_open":
            _link(child, files)
        elif child.type == "image":
            _picture(child, folder)


def _settle_html(tokens: Sequence[Token]) -> int:
    """Rewrite what would be written as it is; return how many folds are still open at the end."""
    depth = 0
    for token in tokens:
        if token.type != "html_block":
            continue
        kept = []
        for line in COMMENT.sub("", token.content).splitlines():
            if token.level == 0 and (fold := FOLD.fullmatch(line.strip())):
                kept.append(f"<details{fold[1] or ''}><summary>{escape(fold[2])}</summary>")
                depth += 1
            elif token.level == 0 and line.strip() == UNFOLD:
                kept.append(UNFOLD if depth else "")
                depth = max(0, depth - 1)
            elif line.strip():
                kept.append(f"<p>{escape(line)}</p>")
        token.content = "\n".join(kept) + "\n"
    return depth


def _link(token: Token, files: str) -> None:
    address = str(token.attrGet("href") or "")
    token.attrs = {}
    try:
        parts = urlsplit(address)
    except ValueError:
        return
    if not parts.scheme and not parts.netloc and parts.fragment and not parts.path:
        token.attrSet("href", f"#{ANCHOR}{parts.fragment}")
    elif parts.scheme in ("http", "https"):
        _outside(token, address)
    elif files and not parts.scheme and not parts.netloc and _inside(parts.path):
        _outside(token, f"{files}/{parts.path}")


def _outside(token: Token, address: str) -> None:
    token.attrs = {"href": address, "target": "_blank", "rel": "noopener noreferrer nofollow"}


def _inside(path: str) -> bool:
    return bool(path) and not path.startswith("/") and ".." not in path.split("/")


def _picture(token: Token, folder: Path) -> None:
    """Put a picture's bytes in place of its address; an image that can't be taken in becomes its own words."""
    path = str(token.attrGet("src") or "")
    words = "".join(_texts(token.children or []))
    if address := _embedded(folder, path):
        token.attrs = {"src": address, "alt": words}
    else:
        token.type, token.tag, token.content, token.children = "text", "", f"[picture: {words or path}]", None


def _texts(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        yield token.content
        yield from _texts(token.children or [])


def _embedded(folder: Path, path: str) -> str:
    try:
        file = folder / path
        if not path.endswith(".png") or not _inside(path) or not file.is_file() or file.stat().st_size > LARGEST:
            return ""
        found = file.read_bytes()
    except (OSError, ValueError):
        return ""
    return f"data:image/png;base64,{b64encode(found).decode()}" if found.startswith(PNG) else ""
