"""How far a judge agrees with people, and what it goes by instead."""

from .audit import audit_judge
from .result import BesidePeople, JudgeAudit, Lean, Position, TagAudit, read_audit, write_audit
from .ruling import Ruling
from .section import section
from .settings import AuditSettings
from .words import words

__all__ = [
    "AuditSettings",
    "BesidePeople",
    "JudgeAudit",
    "Lean",
    "Position",
    "Ruling",
    "TagAudit",
    "audit_judge",
    "read_audit",
    "section",
    "words",
    "write_audit",
]
