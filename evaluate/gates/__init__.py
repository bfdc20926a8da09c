"""Rules over a finished report that pass or fail: superior here, not worse there, measured honestly."""

from .evidence import Claim, claims
from .page import section
from .result import GateResult, RuleResult, read_gate, write_gate
from .rules import judge_gate
from .settings import GateSettings
from .words import COLUMNS, headline, rule_rows

__all__ = [
    "COLUMNS",
    "Claim",
    "GateResult",
    "GateSettings",
    "RuleResult",
    "claims",
    "headline",
    "judge_gate",
    "read_gate",
    "rule_rows",
    "section",
    "write_gate",
]
