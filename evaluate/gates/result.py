"""What a gate decided, rule by rule."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ...errors import UserError
from ...runs import read_json, write_json


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule, and why it holds or not."""

    rule: str
    passed: bool
    reason: str
    """With its numbers."""
    measured: bool = True
    """Whether there was anything to judge by; what was not measured fails."""


@dataclass(frozen=True, slots=True)
class GateResult:
    """All rules of a gate."""

    passed: bool
    rules: tuple[RuleResult, ...]


def write_gate(path: Path, result: GateResult) -> Path:
    """Write what the gate decided as JSON, whole or not at all."""
    return write_json(path, TypeAdapter(GateResult).dump_python(result, mode="json"))


def read_gate(path: Path) -> GateResult:
    """Read it back. Raises UserError where the file is missing or is none of this version."""
    try:
        return TypeAdapter(GateResult).validate_python(read_json(path), strict=False)
    except ValidationError as error:
        raise UserError(f"{path} is no gate's result of this prefloop; judge again with `prefloop gate`") from error
