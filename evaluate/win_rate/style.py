"""What an answer looks like, apart from what it says: its length, headers, lists and bold words, as Arena-Hard counts.

Li et al. 2024, "From Crowdsourced Data to High-Quality Benchmarks" (arXiv 2406.11939), and Arena-Hard-Auto's style
control: the counts leave code blocks out, the length does not.
"""

import re
from dataclasses import dataclass

CODE_BLOCK = re.compile(r"```[^`]*```")
HEADER = re.compile(r"^#{1,6}\s", re.MULTILINE)
LISTS = (re.compile(r"^\s*\d+\.\s", re.MULTILINE), re.compile(r"^\s*[-*+]\s", re.MULTILINE))
BOLD = (re.compile(r"\*\*[^*\n]+\*\*"), re.compile(r"__[^_\n]+__"))
WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Style:
    """The style of one answer."""

    tokens: int
    """Its length, code included."""
    headers: int
    """Markdown headers of any level."""
    lists: int
    """Entries of ordered and unordered lists."""
    bold: int
    """Bold passages."""


def style_features(text: str, tokens: int | None = None) -> Style:
    """Count an answer's length and markdown.

    Args:
        text: The answer.
        tokens: Its length by your tokenizer; Arena-Hard takes that of GPT-4o. By default words and punctuation marks
            are counted, which differs by a factor that is about the same for both answers of a comparison.
    """
    # The fences stay, as in Arena-Hard: what follows a block on its last line does not move to a line's start.
    prose = CODE_BLOCK.sub("``````", text)
    return Style(
        tokens=len(WORD.findall(text)) if tokens is None else tokens,
        headers=len(HEADER.findall(prose)),
        lists=sum(len(kind.findall(prose)) for kind in LISTS),
        bold=sum(len(kind.findall(prose)) for kind in BOLD),
    )


def style_difference(model: Style, other: Style) -> tuple[float, float, float, float]:
    """Return how two answers differ in length, headers, lists and bold, each from -1 to 1, above 0 for more of it.

    Arena-Hard's normalised differences: (m - o) / (m + o) for the length, (m - o) / (m + o + 1) for the others, which
    are taken a token: count / (tokens + 1).
    """
    total = model.tokens + other.tokens
    length = (model.tokens - other.tokens) / total if total else 0.0

    def density(ours: int, theirs: int) -> float:
        m, o = ours / (model.tokens + 1), theirs / (other.tokens + 1)
        return (m - o) / (m + o + 1)

    return (
        length,
        density(model.headers, other.headers),
        density(model.lists, other.lists),
        density(model.bold, other.bold),
    )
