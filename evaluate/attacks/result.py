"""What came of attacks. Shares are in [0, 1]."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ...errors import UserError
from ...runs import read_json, write_json
from ..estimate import Estimate


@dataclass(frozen=True, slots=True)
class AttackResult:
    """One attack on every item it could be made for."""

    name: str
    about: str
    success: Estimate | None
    """The share of scored items on which the attack won in both orders; None where not one was scored."""
    once: Estimate | None
    """The share on which it won in at least one order."""
    wins: int
    ties: int
    """By both orders together, disagreement included."""
    losses: int
    unscored: tuple[str, ...]
    """Ids of items with a verdict that can't be read. In no share."""
    not_made: tuple[str, ...]
    """Ids of items of whose answer it can't be made, or whose answer it leaves as it was."""
    flagged: int
    """Attacking answers that were noticed, of `wins + ties + losses + unscored`."""


@dataclass(frozen=True, slots=True)
class AttackReport:
    """Every attack on one judge."""

    judge: str
    items: int
    results: tuple[AttackResult, ...]

    @property
    def worst(self) -> AttackResult | None:
        """The attack that won most often."""
        scored = [row for row in self.results if row.success is not None]
        return max(scored, key=lambda row: row.success.value if row.success else 0.0, default=None)


def write_attacks(path: Path, report: AttackReport) -> Path:
    """Write a report as JSON, whole or not at all."""
    return write_json(path, TypeAdapter(AttackReport).dump_python(report, mode="json"))


def read_attacks(path: Path) -> AttackReport:
    """Read a report back. Raises UserError where the file is missing or is none of this version."""
    try:
        return TypeAdapter(AttackReport).validate_python(read_json(path), strict=False)
    except ValidationError as error:
        raise UserError(f"{path} is no report of attacks of this prefloop; run them again") from error
