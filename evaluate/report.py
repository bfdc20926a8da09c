"""Everything one evaluation found out: each number with its interval, how it was made, and what was left out.

Shares are in [0, 1], lengths are in tokens, log-probabilities and reward margins in nats, times in seconds.
"""

from dataclasses import dataclass
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ..errors import UserError
from ..runs import read_json, write_json
from .attacks.result import AttackReport
from .contamination.result import Contamination
from .estimate import LeftOut, ModelIdentity, Verdict, WinRate
from .formats.result import Formats
from .humans.result import HumanRound
from .judge_audit.result import JudgeAudit
from .judges.measure import Rubric
from .mt_bench.result import MtBench
from .parts import Check, Example, General, HowMade, Lengths, Preference, SealedSet
from .style.result import StyleFindings
from .tasks.result import TaskResults

FORMAT = 2
"""Raised whenever a report file of an older prefloop can no longer be read."""


@dataclass(frozen=True, slots=True)
class Report:
    """One evaluation of one adapter."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    verdict: Verdict
    """On the primary accuracy, tuned against base."""
    summary: str
    """The verdict in two or three sentences, with its numbers."""
    caveats: tuple[str, ...]
    """What a reader must know before believing the verdict, one sentence each."""
    base: ModelIdentity
    tuned: ModelIdentity
    sealed: SealedSet
    preference: Preference
    lengths: Lengths
    check: Check | None
    win_rate: WinRate | None
    general: General | None
    examples: tuple[Example, ...]
    left_out: tuple[LeftOut, ...]
    how: HowMade
    tasks: TaskResults | None = None
    """Benchmark tasks."""
    formats: Formats | None = None
    """The same questions in several wordings."""
    mt_bench: MtBench | None = None
    rubric: Rubric | None = None
    """Each answer judged alone."""
    style: StyleFindings | None = None
    """What the win rate is made of."""
    contamination: Contamination | None = None
    """Evaluation items that the training data holds, and the results without them."""
    humans: HumanRound | None = None
    """The newest round of people's comparisons of these two models."""
    judge_audit: JudgeAudit | None = None
    """The judge beside people."""
    attacks: AttackReport | None = None
    """What fools the judge."""
    format: int = FORMAT


def write_report_json(path: Path, report: Report) -> Path:
    """Write the report as JSON, whole or not at all."""
    return write_json(path, TypeAdapter(Report).dump_python(report, mode="json"))


def read_report(path: Path) -> Report:
    """Read a report back.

    Raises:
        UserError: the file is missing or is no report of this version.
    """
    try:
        return TypeAdapter(Report).validate_python(read_json(path), strict=False)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"{path} is no report of this prefloop (format {FORMAT}): {where}: {first['msg']}; run the evaluation again"
        ) from error
