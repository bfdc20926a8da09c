"""When a judge may decide in people's place."""

from pydantic import BaseModel, ConfigDict, Field

MARGIN = 0.1
UNREADABLE = 0.1
"""The largest share of verdicts that can't be read: whoever stays silent on hard items agrees easily on the rest."""


class AuditSettings(BaseModel):
    """What is asked of a judge before it may gate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    margin: float = Field(default=MARGIN, ge=0, lt=0.5)
    """How far below one annotator's agreement the judge's may be, at the lower end of the interval. A judge that is
    right with probability q shows a win rate of w as 0.5 + (2q - 1)(w - 0.5); where people agree in 80%, one of 70%
    still shows two thirds of what people would see. With fewer than about 200 items no judge passes 0.1: that is the
    point of it."""
