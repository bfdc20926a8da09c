"""Which releases speak of what was asked for, the likeliest first."""

import re
from collections.abc import Sequence
from itertools import takewhile

from .entry import Entry

WORD = re.compile(r"\w+")
PIECES = (3, 5)
"""Letters of the pieces that words are compared by, at least and at most."""
ALIKE = 0.7
"""The share of the shorter word with which two of one family begin alike."""


def rank(words: str, entries: Sequence[Entry]) -> list[tuple[Entry, float]]:
    """Return the releases that have one of the words, best first, each with its likeness in [0, 1].

    Name, task, tags and base are compared with the words as TF-IDF of pieces of words (scikit-learn's
    `TfidfVectorizer`), so that `mails` finds `e-mail` and `classify` finds `classification`. A release must have at
    least one of the words, or one that begins as it does: pieces alone would find something in everything.
    """
    asked = _telling(words)
    found = [entry for entry in entries if any(has_word(entry.text, word) for word in asked)]
    if not found:
        return []
    from sklearn.feature_extraction.text import TfidfVectorizer

    weigh = TfidfVectorizer(analyzer="char_wb", ngram_range=PIECES, sublinear_tf=True, preprocessor=_words)
    # Rare pieces are told from common ones by all releases, not only by those that are found.
    weigh.fit([entry.text for entry in entries])
    likeness = (weigh.transform([entry.text for entry in found]) @ weigh.transform([" ".join(asked)]).T).toarray()
    scored = [(entry, round(float(row[0]), 4)) for entry, row in zip(found, likeness, strict=True)]
    return sorted(scored, key=lambda pair: (-pair[1], pair[0].name, pair[0].where))


def _words(text: str) -> str:
    """Return the words alone: a full stop behind a word would make pieces of its own."""
    return " ".join(WORD.findall(text.casefold()))


def has_word(text: str, word: str) -> bool:
    """Return whether a text has this word, one that holds it, or one with the same beginning."""
    return any(_alike(word.casefold(), other) for other in WORD.findall(text.casefold()))


def _alike(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    same = sum(1 for _ in takewhile(lambda letters: letters[0] == letters[1], zip(short, long, strict=False)))
    return one == other or (len(short) > 3 and (short in long or same >= max(4, ALIKE * len(short))))


def _telling(words: str) -> list[str]:
    """Return the words that say something; all of them, where none does."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    asked = WORD.findall(words.casefold())
    return [word for word in asked if len(word) > 1 and word not in ENGLISH_STOP_WORDS] or asked
