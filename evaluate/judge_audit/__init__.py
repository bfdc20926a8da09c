"""How far a judge agrees with people, and what it goes by instead."""

from .asked import ask_rulings, ruling_questions
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
    "ask_rulings",
    "audit_judge",
    "read_audit",
    "ruling_questions",
    "section",
    "words",
    "write_audit",
]
