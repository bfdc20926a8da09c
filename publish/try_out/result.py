"""What a try-out found."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...asking import Message
from ...evaluate.estimate import Estimate, LeftOut
from ...runs import write_json
from .judging import Judged
from .ranking import Ranking
from .settings import TryOutSettings

REPORT, PAGE = "try_out.json", "try_out.html"


@dataclass(frozen=True, slots=True)
class Tried:
    """One candidate: what it is, and what its answers cost."""

    name: str
    kind: str
    sha256: str | None
    """None behind an endpoint."""
    parameters: int | None
    size: int | None
    """Bytes of its weights."""
    seconds: float
    """The median time of an answer: of a batch's share on this machine, of the whole call behind an endpoint."""
    words: Estimate | None
    """The mean length of its answers; None for a single example."""
    cut: int
    """Answers that ran into the longest allowed."""
    price: float | None
    """Of all its answers, where an endpoint has prices."""
    trained_on: tuple[str, ...] | None
    """Examples whose prompt is in its training data; None where nobody says what that was."""
    measured_on: tuple[str, ...]
    """Examples whose prompt is in the sealed set that its report rests on."""


@dataclass(frozen=True, slots=True)
class Tested:
    """One example with everybody's answers."""

    id: str
    line: int
    prompt: tuple[Message, ...]
    accepted: tuple[str, ...]
    good: str | None
    bad: str | None
    answers: dict[str, str]
    right: dict[str, bool]
    """By candidate; empty where the example says nothing of what is right."""
    prefers_good: dict[str, float]
    """1 where the candidate finds the good answer likelier per token, 0.5 where it can't tell, else 0."""


@dataclass(frozen=True, slots=True)
class TryOut:
    """Everything that was measured."""

    file: str
    sha256: str
    """Of the examples' file."""
    candidates: tuple[Tried, ...]
    examples: tuple[Tested, ...]
    rankings: tuple[Ranking, ...]
    """By right answers, by the judge, by preference: as far as there is something to go by."""
    judged: Judged | None
    left_out: tuple[LeftOut, ...]
    settings: TryOutSettings
    versions: dict[str, str]
    machine: str
    created: str

    @property
    def ranking(self) -> Ranking | None:
        """The one that the answer goes by: right answers before a judge's opinion before likelihoods."""
        return self.rankings[0] if self.rankings else None


def write_result(path: Path, found: TryOut) -> Path:
    """Write everything as JSON."""
    return write_json(path, as_row(found))


def as_row(found: TryOut) -> dict[str, Any]:
    """Return the result as JSON has it."""
    row = asdict(found) | {"settings": found.settings.model_dump(mode="json")}
    return {key: _finite(value) for key, value in row.items()}


def _finite(value: Any) -> Any:
    """Put null in the place of what JSON can't say: the end of an interval that has none."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return None
    return value
