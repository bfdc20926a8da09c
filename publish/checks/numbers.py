"""The numbers that a release holds evidence for, and whether a number on its card is one of them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SIGN = r"[+\-\N{MINUS SIGN}\N{PLUS-MINUS SIGN}]?"
DIGITS = r"\d+(?:,\d{3})*(?:\.\d+)?"
AFTER = r"(?!\w|[.,]\d|-[A-Za-z]|-\d\d-\d\d)"
"""A number is none that goes on: `4-bit`, `0.1.0`, the year of a date."""
NUMBER = re.compile(rf"(?<![\w.\N{{MINUS SIGN}}/#-]){SIGN}(?P<digits>{DIGITS})%?{AFTER}")
INTERVAL = re.compile(
    rf"{SIGN}(?P<value>{DIGITS})%?(?: points)? \((?:interval )?"
    rf"{SIGN}(?P<low>{DIGITS})%? to {SIGN}(?P<high>{DIGITS})%?\)?"
)
"""`0.71 (0.60 to 0.81)`, `71% (60% to 81%)`, `+52 points (interval +38 to +64)`."""
NOISE = {"margins", "points", "training", "sealed", "items", "votes", "overlaps", "seconds_by_step"}
"""Lists of one row a pair or prompt: they hold every small number, and prove none."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Numbers with the places they stand in."""

    numbers: tuple[tuple[float, str], ...]
    triples: tuple[tuple[float, float, float, str], ...]
    """Value and interval of each estimate."""

    def holds(self, digits: str) -> bool:
        """Whether some number is this one at its rounding, as a share or in per cent, whatever its sign."""
        return any(_is(digits, value) for value, _ in self.numbers)

    def holds_interval(self, value: str, low: str, high: str) -> bool:
        """Whether some estimate has this value and this interval, at this rounding."""
        return any(
            all(_at(text, number, scale) for text, number in ((value, middle), (low, begin), (high, end)))
            for middle, begin, end, _ in self.triples
            for scale in (1, 100)
        )

    def nearest(self, digits: str) -> str:
        """Name the number that comes closest."""
        wanted = float(digits.replace(",", ""))
        scaled = [
            (abs(abs(value) * scale - wanted), value, place) for value, place in self.numbers for scale in (1, 100)
        ]
        if not scaled:
            return "there is no number in it"
        _, value, place = min(scaled)
        return f"the nearest is {value:g} ({place})"


def pool_of(sources: Mapping[str, Any]) -> Pool:
    """Gather the numbers of JSON values, by the file that each is from."""
    numbers = [found for name, tree in sources.items() for found in _numbers(tree, name)]
    triples = [found for name, tree in sources.items() for found in _triples(tree, name)]
    return Pool(tuple(numbers), tuple(triples))


def _is(digits: str, value: float) -> bool:
    return _at(digits, value, 1) or (abs(value) <= 1 and _at(digits, value, 100))


def _at(digits: str, value: float, scale: float) -> bool:
    """Whether a number is `digits` when it is rounded to their decimals."""
    plain = digits.replace(",", "")
    decimals = len(plain.partition(".")[2])
    half: float = 0.5 / 10**decimals
    return abs(abs(value) * scale - float(plain)) <= half + 1e-9


def _numbers(tree: Any, place: str) -> Iterator[tuple[float, str]]:
    if isinstance(tree, bool) or tree is None:
        return
    if isinstance(tree, int | float):
        yield float(tree), place
        if place.endswith("seconds"):
            yield tree / 60, f"{place} in minutes"
    elif isinstance(tree, str):
        for found in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])", tree):
            yield float(found), place
    elif isinstance(tree, Mapping):
        yield float(len(tree)), f"the entries of {place}"
        for name, inner in tree.items():
            yield from _numbers(inner, f"{place}.{name}")
    else:
        yield from _of_list(list(tree), place)


def _of_list(rows: list[Any], place: str) -> Iterator[tuple[float, str]]:
    yield float(len(rows)), f"the entries of {place}"
    if place.rpartition(".")[2] in NOISE or (len(rows) > 2 and _all_numbers(rows)):
        return
    for number, row in enumerate(rows):
        yield from _numbers(row, f"{place}[{number}]")


def _all_numbers(rows: Iterable[Any]) -> bool:
    return all(isinstance(row, int | float) for row in rows)


def _triples(tree: Any, place: str) -> Iterator[tuple[float, float, float, str]]:
    if isinstance(tree, Mapping):
        if all(isinstance(tree.get(name), int | float) for name in ("value", "low", "high")):
            yield tree["value"], tree["low"], tree["high"], place
        for name, inner in tree.items():
            ends = tree.get(f"{name}_interval")
            if isinstance(inner, int | float) and isinstance(ends, list) and len(ends) == 2:
                yield inner, ends[0], ends[1], f"{place}.{name}"
            yield from _triples(inner, f"{place}.{name}")
    elif isinstance(tree, list) and place.rpartition(".")[2] not in NOISE:
        for row in tree:
            yield from _triples(row, place)
