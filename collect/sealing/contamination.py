"""Contamination: training texts that stand in what the model is evaluated on.

Three looks, each text against each evaluation text:

- exact: the same words (`similar.words`), from three words up if a user says it, from eight in answers ("Laughter is
  the best medicine" is one of TruthfulQA's and nobody's);
- n-gram: thirteen words of the evaluation text in common runs of eight or more, or four fifths of it; and all of a
  shorter one, from five words up, inside what a user says. Thirteen is the longest n-gram of GPT-3's check (Brown et
  al. 2020, appendix C), eight its shortest and Llama 3's (arXiv:2407.21783, section 5.1.4), which also goes by the
  share of the text that is covered. As in GPT-3, runs that stand in more than ten texts, there of the training data and
  here of the evaluation data, are a form of words and not counted, nor are those that are mostly numbers (1, 2, 3);
- near-duplicate: a turn of the user that is as similar as `similar.NEAR`, from five words up.

On real data (PandaLM, HH-RLHF and LLMBar against TruthfulQA, MT-Bench, IFEval, GSM8K, ARC and BIG-Bench Hard) these
bounds find LLMBar's three MT-Bench questions with their answers; docs/sealing.md has the list.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

from ...runs import Progress, silent
from ..item import Item, Message
from ..pair import PreferencePair
from .evaluation_texts import EvaluationText
from .sealed import Sealed
from .similar import NEAR, near, words

if TYPE_CHECKING:
    import numpy

GRAM = 8
RUN = 13
"""So many common words are too many, however long the evaluation text is."""
MOST = 0.8
"""And so is this share of the evaluation text."""
FORM = 10
"""Runs that stand in more evaluation texts than this are a form of words."""
SHORTEST_EXACT = 3
"""Words; for answers it is `GRAM`."""
SHORTEST_NEAR = 5
"""Words; also of a text that is looked for inside another."""
RANK = ("exact", "n-gram", "near-duplicate")


class DecontaminateSettings(BaseModel, extra="forbid", frozen=True):
    """What must be in no item and no training pair, and what happens where it is."""

    against: tuple[Path, ...] = ()
    """Evaluation data beside the recipe's own (`evaluate.general`) and the sealed set: JSON, JSON lines, CSV or text,
    gzipped or not; an earlier run's `sealed.json` keeps its sealed prompts out of this run too."""
    action: Literal["block", "drop", "report"] = "block"
    """Stop, go on without them (counted), or keep them; they are listed in `contamination.json` each time."""


@dataclass(frozen=True, slots=True)
class Text:
    """One text of an item or a pair."""

    owner: str
    """The id of the item or pair."""
    part: str
    """`prompt` or the name of the response."""
    text: str
    asked: bool = False
    """Whether a user says it: only those are looked up as near-duplicates."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """One text that stands in the evaluation."""

    id: str
    """The item or pair."""
    part: str
    kind: Literal["exact", "n-gram", "near-duplicate"]
    file: str
    """The evaluation's file, or `sealed.json`."""
    row: str
    """The row in it, counted from 1 as lines or list elements are; a prompt id of the sealed set."""
    share: float
    """How much of the evaluation text it is; for a near-duplicate, the similarity."""


def item_texts(items: Iterable[Item]) -> list[Text]:
    """Return every text of the items."""
    return [
        text
        for item in items
        for text in _texts(
            item.id,
            item.prompt,
            {f"response {letter}": one.response for letter, one in zip(ascii_uppercase, item.candidates, strict=False)},
        )
    ]


def pair_texts(pairs: Iterable[PreferencePair]) -> list[Text]:
    """Return every text of the pairs."""
    return [
        text
        for pair in pairs
        for text in _texts(pair.id, pair.prompt, {"chosen": pair.chosen, "rejected": pair.rejected})
    ]


def overlaps(texts: Sequence[Text], against: Sequence[EvaluationText], progress: Progress = silent) -> list[Overlap]:
    """Find the texts that stand in the evaluation, the strongest sign for each id and evaluation row.

    50,000 items against 20,000 evaluation texts take half a minute of one core.
    """
    evaluation = _Evaluation(against)
    by_text: dict[str, list[Text]] = defaultdict(list)
    for row in texts:
        by_text[row.text].append(row)
    asked = [text for text, owners in by_text.items() if any(owner.asked for owner in owners)]
    found: dict[tuple[str, str, str], Overlap] = {}
    signs = (*evaluation.shared(by_text, progress), *evaluation.short(asked), *evaluation.near(asked))
    for kind, text, place, share in signs:
        answers_count = kind != "near-duplicate" and len(evaluation.words[place]) >= GRAM
        for owner in by_text[text]:
            if owner.asked or answers_count:
                one = Overlap(owner.owner, owner.part, kind, against[place].file, against[place].row, round(share, 3))
                key = (one.id, one.file, one.row)
                found[key] = min(
                    found.get(key, one), one, key=lambda overlap: (RANK.index(overlap.kind), -overlap.share)
                )
    return sorted(found.values(), key=lambda one: (one.id, one.file, one.row))


def holding_sealed(texts: Sequence[Text], sealed: Sealed) -> list[Overlap]:
    """Find the texts that hold four fifths of a sealed prompt somewhere inside, from eight words up.

    What is near to a sealed prompt as a whole is sealed itself (`seal`). Thirteen common words mean nothing here:
    the prompts of one task share phrases.
    """
    against = [
        EvaluationText("sealed.json", prompt_id, text)
        for prompt_id in sorted(sealed.prompt_ids)
        for text in sealed.prompts[prompt_id].texts
        if len(words(text)) >= GRAM
    ]
    evaluation = _Evaluation(against)
    found = {
        (text.owner, against[place].row): Overlap(
            text.owner, text.part, kind, "sealed.json", against[place].row, round(share, 3)
        )
        for text in texts
        for kind, _, place, share in evaluation.shared([text.text], silent)
        if share >= MOST
    }
    return [found[key] for key in sorted(found)]


Found = tuple[Literal["exact", "n-gram", "near-duplicate"], str, int, float]


class _Evaluation:
    """The evaluation texts, indexed."""

    def __init__(self, against: Sequence[EvaluationText]) -> None:
        import numpy

        self.texts = [row.text for row in against]
        self.words = [words(text) for text in self.texts]
        self.whole: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for place, found in enumerate(self.words):
            if len(found) >= SHORTEST_EXACT:
                self.whole[tuple(found)].append(place)
        self.vocabulary = {word: n for n, word in enumerate(sorted({word for row in self.words for word in row}), 1)}
        random = numpy.random.default_rng(0)
        self.codes = random.integers(1, 2**63, len(self.vocabulary) + 1, dtype=numpy.uint64) | numpy.uint64(1)
        self.codes[0] = 0  # a word that no evaluation text has
        self.numeric = numpy.array([True, *(not word.isalpha() for word in self.vocabulary)])
        self.weights = random.integers(1, 2**63, GRAM, dtype=numpy.uint64) | numpy.uint64(1)
        self.grams: list[list[int]] = [self._grams(found).tolist() for found in self.words]
        places: dict[int, list[int]] = defaultdict(list)
        for place, grams in enumerate(self.grams):
            for gram in set(grams) - {0}:
                places[gram].append(place)
        self.places = {gram: where for gram, where in places.items() if len(where) <= FORM}
        self.known = numpy.array(sorted(self.places), dtype=numpy.uint64)

    def shared(self, texts: Iterable[str], progress: Progress) -> Iterator[Found]:
        """Yield what is the same, or has too many words in common."""
        rows = list(texts)
        for done, text in enumerate(rows, 1):
            if done % 1000 == 0 or done == len(rows):
                progress(done, len(rows))
            mine = words(text)
            same = self.whole.get(tuple(mine), [])
            yield from (("exact", text, place, 1.0) for place in same)
            common = self._common(mine)
            for place in sorted({place for gram in common for place in self.places[gram]} - set(same)):
                covered = {n + k for n, gram in enumerate(self.grams[place]) if gram in common for k in range(GRAM)}
                if len(covered) >= RUN or len(covered) >= MOST * len(self.words[place]):
                    yield "n-gram", text, place, len(covered) / len(self.words[place])

    def short(self, texts: Sequence[str]) -> Iterator[Found]:
        """Yield the whole evaluation texts, too short to have a run of eight words, that stand inside a text."""
        for text in texts:
            mine = words(text)
            for length in range(SHORTEST_NEAR, min(GRAM, len(mine))):
                for start in range(len(mine) - length + 1):
                    for place in self.whole.get(tuple(mine[start : start + length]), ()):
                        yield "n-gram", text, place, 1.0

    def near(self, texts: Sequence[str]) -> Iterator[Found]:
        """Yield the best near-duplicate of each text."""
        places = [place for place, found in enumerate(self.words) if len(found) >= SHORTEST_NEAR]
        for text, match in zip(texts, near(texts, [self.texts[place] for place in places], NEAR), strict=True):
            if match:
                yield "near-duplicate", text, places[match.index], match.similarity

    def _grams(self, found: Sequence[str]) -> "numpy.ndarray":
        """Return a number for each run of eight words."""
        import numpy

        numbers = [self.vocabulary.get(word, 0) for word in found]
        codes, numeric = self.codes[numbers], self.numeric[numbers]
        length = max(len(found) - GRAM + 1, 0)
        sums, figures = numpy.zeros(length, dtype=numpy.uint64), numpy.zeros(length, dtype=int)
        for n in range(GRAM):
            sums += codes[n : n + length] * self.weights[n]
            figures += numeric[n : n + length]
        sums[figures > GRAM // 2] = 0  # no run has this number, as good as surely
        return sums

    def _common(self, found: Sequence[str]) -> set[int]:
        """Return the runs that also stand in evaluation texts, and not in too many of them."""
        import numpy

        grams = self._grams(found)
        if not len(grams) or not len(self.known):
            return set()
        where = numpy.minimum(numpy.searchsorted(self.known, grams), len(self.known) - 1)
        return set(grams[self.known[where] == grams].tolist())


def _texts(owner: str, prompt: Sequence[Message], responses: Mapping[str, str]) -> Iterator[Text]:
    yield from (Text(owner, "prompt", message.content, message.role == "user") for message in prompt)
    yield from (Text(owner, part, text) for part, text in responses.items())
