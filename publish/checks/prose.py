"""A card's Markdown as the lines that a reader sees, each with its place in the file."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text."""

    number: int
    """In the file, from 1."""
    text: str
    """As a reader sees it (`shown`); of a table, a whole row; of an example all of it as it stands."""
    kind: Literal["text", "example"]
    """An example is what stands in a fence of `text`."""
    block: int
    """The same for lines of one paragraph, list or table."""


def body(text: str) -> tuple[str, int]:
    """Return what follows the metadata block, and how many lines that takes."""
    found = re.match(r"---\n.*?\n---\n", text, flags=re.DOTALL)
    return (text[found.end() :], found[0].count("\n")) if found else (text, 0)


def card_lines(text: str) -> Iterator[Line]:
    """Return every line with words, without those of code."""
    from markdown_it import MarkdownIt

    rest, before = body(text)
    block = 0
    for token in MarkdownIt("commonmark", {"html": True}).enable("table").parse(rest):
        if token.level == 0 and token.nesting >= 0:
            block += 1
        if token.type == "fence" and token.info.strip() == "text" and token.map:
            yield Line(before + token.map[0] + 1, token.content, "example", block)
        elif token.type in {"paragraph_open", "heading_open", "tr_open", "html_block"} and token.map:
            first, last = token.map
            lines = rest.splitlines()[first:last]
            yield from (
                Line(before + first + 1 + place, seen, "text", block)
                for place, line in enumerate(lines)
                if (seen := shown(line)).strip()
            )


def shown(line: str) -> str:
    """Return what a reader sees of a line: no tags, no addresses, none of Markdown's signs."""
    line = re.sub(r"<[^>]*>|^\s*(?:[-*>]|\d+\.|#+)\s+", " ", line)
    line = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", line)
    line = re.sub(r"https?://\S+", " ", line)
    return " ".join(re.sub(r"\\(?=\|)|[`*|]", " ", line).split())
