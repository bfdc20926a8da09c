"""Judging a finished report by the recipe's gate, without measuring anything again."""

from typing import TYPE_CHECKING

from ..errors import UserError
from ..recipe import Recipe
from ..runs import Run, read_json
from .reporting import GATE, REPORT, refresh_report

if TYPE_CHECKING:
    from ..evaluate.gates import GateResult


def gate_run(run: Run, recipe: Recipe) -> "GateResult":
    """Judge the run's report.json by `evaluate.gate`, and write what was decided to gate.json.

    Raises:
        UserError: the recipe has no gate, or there is no report yet.
    """
    from ..evaluate.gates import judge_gate, write_gate
    from ..train.watching.alarms import read_alarms

    if recipe.evaluate.gate is None:
        raise UserError(f"the recipe {recipe.name} has no gate: write its rules under evaluate.gate (docs/gates.md)")
    report = read_json(run.folder / REPORT)
    path = run.folder / "train" / "alarms.json"
    result = judge_gate(report, recipe.evaluate.gate, read_alarms(path) if path.exists() else None)
    write_gate(run.folder / GATE, result)
    refresh_report(run)
    return result
