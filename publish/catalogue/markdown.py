"""A card as HTML that can be shown to anybody: what its author wrote is text, never code, and nothing is fetched."""

import re
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ..finding.folders import HEAD

PICTURES = {".png": "image/png", ".svg": "image/svg+xml"}
LARGEST = 1_000_000
"""Bytes of a picture that a page takes in."""
ANCHOR = "card-"
"""Begins every id within a card, so that none can be mistaken for one of the page's own."""


def card_html(text: str, folder: Path, files: str) -> str:
    """Return a card's HTML without its metadata and first heading.

    HTML in the card is shown as text. Links lead to web pages, within the card, or into the repository; others lose
    their address. Pictures of the release's own folder are taken into the page; others become their words.

    Args:
        text: The card.
        folder: The release's.
        files: The address under which the repository's files can be looked at; empty where there is none.
    """
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = reader.parse(HEAD.sub("", text, count=1).lstrip())
    if len(tokens) > 2 and tokens[0].type == "heading_open" and tokens[0].tag == "h1":
        tokens = tokens[3:]  # the page has the name already
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        _settle(token, following, folder, files)
    html = str(reader.renderer.render(tokens, reader.options, {}))
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
        if child.type == "link_open":
            _link(child, files)
        elif child.type == "image":
            _picture(child, folder)


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
    kind = PICTURES.get(Path(path).suffix)
    if kind is None or not _inside(path) or quote(path) != path:
        return ""
    file = folder / path
    try:
        # A link out of the folder is followed only where the Hub's cache keeps its files, beside the folder.
        if not file.is_file() or file.stat().st_size > LARGEST:
            return ""
        return f"data:{kind};base64,{b64encode(file.read_bytes()).decode()}"
    except OSError:
        return ""
