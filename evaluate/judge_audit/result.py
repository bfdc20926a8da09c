"""Everything an audit found. Shares are in [0, 1]; every difference is the judge's minus the people's, paired."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ...errors import UserError
from ...runs import read_json, write_json
from ..estimate import Estimate


@dataclass(frozen=True, slots=True)
class Lean:
    """How often answers of some kind are preferred to others, ties half, by the judge and by people."""

    judge: Estimate
    people: Estimate
    difference: Estimate


@dataclass(frozen=True, slots=True)
class Position:
    """What the order of the answers does to the judge's verdicts."""

    consistent: Estimate
    """The share of items on which both orders give the same verdict."""
    first: Estimate | None
    """The share of all verdicts for one answer that went to the one shown first: 0.5 without a lean, as each item was
    shown in both orders. None where every verdict was a tie."""
    always_first: int
    """Items on which the answer shown first won both times."""
    always_second: int


@dataclass(frozen=True, slots=True)
class BesidePeople:
    """The judge and each annotator, measured alike: against the majority of the other annotators."""

    judge: Estimate
    people: Estimate
    difference: Estimate
    annotators: int


@dataclass(frozen=True, slots=True)
class TagAudit:
    """Agreement on the items that carry one tag."""

    tag: str
    agreement: Estimate
    people: Estimate | None
    """One annotator against the majority of the others; None where no item has two votes."""


@dataclass(frozen=True, slots=True)
class JudgeAudit:
    """One judge against the people who voted on the same items."""

    judge: str
    items: int
    """With both orders readable and at least one counted vote: what every number below is made of."""
    prompts: int
    unscored: tuple[str, ...]
    """Ids of items with a verdict that can't be read. In no number."""
    not_asked: tuple[str, ...]
    """Ids of items with votes on which the judge said nothing at all."""
    without_votes: tuple[str, ...]
    """Ids of items on which nobody's vote counts."""
    no_majority: tuple[str, ...]
    """Ids of scored items whose votes lead nowhere: in no agreement with the majority."""
    agreement: Estimate | None
    """With the majority of people where it is for one answer, a tie of the judge's counted half. A coin, and a judge
    that always says tie or always names the first answer, has 0.5. None where no majority is for one answer."""
    decided: Estimate | None
    """The same without the judge's ties: MT-Bench's second setup, which forgives a judge that changes its mind."""
    with_ties: Estimate | None
    """With the majority as A, B or tie: MT-Bench's first setup."""
    kappa: Estimate | None
    """Cohen's, of A, B and tie."""
    beside: BesidePeople | None
    """As `agreement`; None where no item has two votes."""
    beside_with_ties: BesidePeople | None
    """As `with_ties`."""
    longer: Estimate | None
    """The agreement that always naming the longer answer would have."""
    over_longer: Estimate | None
    """`agreement` minus that, paired."""
    position: Position
    length: Lean | None
    """For the longer answer; None where all answers are equally long."""
    own: Lean | None
    """For the answers that the judge's own model wrote, against others'; None where there are none."""
    tags: tuple[TagAudit, ...]
    flags: dict[str, int]
    """Items by what looked suspicious."""
    margin: float
    """How far below people the judge may be and still gate."""
    may_gate: bool
    reasons: tuple[str, ...]
    """Why it may not gate; empty where it may."""


def write_audit(path: Path, audit: JudgeAudit) -> Path:
    """Write an audit as JSON, whole or not at all."""
    return write_json(path, TypeAdapter(JudgeAudit).dump_python(audit, mode="json"))


def read_audit(path: Path) -> JudgeAudit:
    """Read an audit back. Raises UserError where the file is missing or is none of this version."""
    try:
        return TypeAdapter(JudgeAudit).validate_python(read_json(path), strict=False)
    except ValidationError as error:
        raise UserError(f"{path} is no audit of this prefloop; audit the judge again") from error
