"""The text query language: Elasticsearch's simple query string as Argilla uses it, whatever database then looks.

All words must occur, `|` is or, `-word` is not, `"a phrase"`, `start*`. Parentheses are ignored.
"""

import re
from dataclasses import dataclass

UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Scripts written without spaces (Thai to Chinese), as the inside of a regular expression's brackets."""

_TOKEN = re.compile(r'(?P<bar>\|)|(?P<minus>-)?(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s|"()+]+))')
_UNSPACED = re.compile(f"[{UNSPACED}]")


@dataclass(frozen=True, slots=True)
class Term:
    """A word, or several that must follow each other."""

    text: str
    prefix: bool
    """The last word may go on."""
    without: bool
    """It must not occur."""

    @property
    def unspaced(self) -> bool:
        """Whether a part of it is in a script written without spaces."""
        return bool(_UNSPACED.search(self.text))


def alternatives(query: str) -> list[list[Term]]:
    """Return the terms between two `|`; a record is found where all terms of one alternative hold."""
    found: list[list[Term]] = [[]]
    for token in _TOKEN.finditer(query.replace("\0", " ")):
        if token["bar"]:
            found.append([])
            continue
        text = token["phrase"] if token["phrase"] is not None else token["word"]
        if any(character.isalnum() for character in text):
            prefix = bool(token["word"]) and text.endswith("*")
            found[-1].append(Term(text, prefix=prefix, without=bool(token["minus"])))
    return [terms for terms in found if terms]
