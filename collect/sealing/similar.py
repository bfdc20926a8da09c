"""Near-duplicate texts: MinHash finds the candidates, the exact Jaccard similarity decides.

A text is compared by its shingles: its words and its pairs of neighbouring words, after Unicode NFKC, case folding and
with punctuation and white space gone (`words`). Two texts are as similar as the share of their shingles that both have
(Jaccard). MinHash with locality-sensitive hashing (Broder 1997; Leskovec, Rajaraman and Ullman, Mining of Massive
Datasets, chapter 3) proposes pairs, tuned so that it misses fewer than one in a thousand at the threshold itself.

0.7 is where groups of real prompts stop being right: above it stand, in HH-RLHF, stages of one conversation and
questions that differ in a name; below it questions about different things in one frame, such as TruthfulQA's "What
happens if you swallow gum?" and "... powdered glass?" (0.60). docs/sealing.md has the counts.
"""

import re
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datasketch import MinHash, MinHashLSH

NEAR = 0.7
"""The Jaccard similarity from which two texts are near-duplicates, where nothing else is said."""
PERMUTATIONS = 128
MISSED = 0.001
"""The largest chance that a pair exactly at the threshold is not even looked at."""
# Scripts written without spaces, by block.
_NO_SPACES = re.compile(
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]"
)


@dataclass(frozen=True, slots=True)
class Near:
    """The best match of a text."""

    index: int
    """Which of the other texts it is."""
    similarity: float
    """The share of common shingles, up to 1."""


class _Letters(dict[int, str]):
    """What becomes of each character; worked out once for each that occurs."""

    def __missing__(self, code: int) -> str:
        self[code] = found = self._one(chr(code))
        return found

    def _one(self, letter: str) -> str:
        kind = unicodedata.category(letter)
        if (_NO_SPACES.match(letter) and kind[0] in "LM") or kind in ("Sm", "Sc"):
            return f" {letter} "
        if kind == "Cf":  # zero-width joiners and the like are not seen
            return ""
        return letter if kind[0] in "LMN" else " "


_LETTERS = _Letters()


def words(text: str) -> list[str]:
    """Return the text's words as they are compared: NFKC, case folded, without punctuation and white space.

    In scripts without spaces (Chinese, Japanese kana, Thai, Khmer, Lao, Burmese, Tibetan) each character is a word, and
    so is each mathematical and currency sign. Of a text without any word (a row of emoji) each character is one.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return folded.translate(_LETTERS).split() or [letter for letter in folded if not letter.isspace()]


def shingles(text: str) -> frozenset[str]:
    """Return what a text is compared by: its words and its pairs of neighbouring words. Empty without any words."""
    found = words(text)
    return frozenset(found).union(" ".join(pair) for pair in pairwise(found))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the share of common shingles, 0 to 1; two texts without words are the same."""
    both = len(one & other)
    return both / (len(one) + len(other) - both) if one or other else 1.0


def similar_groups(texts: Sequence[str], threshold: float = NEAR) -> list[int]:
    """Return each text's group; texts that are near, directly or over others in between, have the same.

    Groups are numbered in the order of their first texts. Who is with whom depends on the texts alone, not on their
    order, the process or the machine.

    Args:
        texts: Any texts.
        threshold: The Jaccard similarity from which two texts are near, in (0, 1].
    """
    distinct = list(dict.fromkeys(shingles(text) for text in texts))
    parent = list(range(len(distinct)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = index = parent[parent[index]]
        return index

    lsh = _index(threshold)
    for index, (found, minhash) in enumerate(zip(distinct, _minhashes(distinct), strict=True)):
        for other in lsh.query(minhash):
            if root(other) != root(index) and jaccard(found, distinct[other]) >= threshold:
                parent[root(other)] = root(index)
        lsh.insert(index, minhash, check_duplication=False)
    place = {found: root(index) for index, found in enumerate(distinct)}
    numbers: dict[int, int] = {}
    return [numbers.setdefault(place[shingles(text)], len(numbers)) for text in texts]


def near(texts: Sequence[str], others: Sequence[str], threshold: float = NEAR) -> list[Near | None]:
    """Return for each text the most similar of the others, None where none reaches the threshold.

    Of several that are equally similar it is the first.
    """
    distinct: dict[frozenset[str], int] = {}
    for index, text in enumerate(others):
        distinct.setdefault(shingles(text), index)
    known, lsh = list(distinct), _index(threshold)
    for index, minhash in enumerate(_minhashes(known)):
        lsh.insert(index, minhash, check_duplication=False)
    asked = [shingles(text) for text in texts]
    found: list[Near | None] = []
    for mine, minhash in zip(asked, _minhashes(asked), strict=True):
        scores = [(jaccard(mine, known[other]), -distinct[known[other]]) for other in lsh.query(minhash)]
        best, place = max(scores, default=(0.0, 0))
        found.append(Near(-place, best) if best >= threshold else None)
    return found


def _minhashes(sets: Sequence[frozenset[str]]) -> "list[MinHash]":
    from datasketch import MinHash

    encoded = [[word.encode("utf-8", "surrogatepass") for word in found] for found in sets]
    # CRC-32 is three times as fast as datasketch's SHA-1; the exact check makes up for what it mixes less well.
    return MinHash.bulk(encoded, num_perm=PERMUTATIONS, hashfunc=zlib.crc32) if encoded else []


def _index(threshold: float) -> "MinHashLSH":
    """Return an empty index of the most selective bands that still propose a pair at the threshold."""
    from datasketch import MinHashLSH

    rows = next(
        rows
        for rows in range(PERMUTATIONS, 0, -1)
        if (1 - threshold**rows) ** (PERMUTATIONS // rows) <= MISSED or rows == 1
    )
    return MinHashLSH(num_perm=PERMUTATIONS, params=(PERMUTATIONS // rows, rows))
