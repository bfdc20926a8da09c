"""What a gate decided as a part of the report's page."""

from ..fragments import render_fragment
from .result import GateResult
from .words import headline


def section(result: GateResult) -> str:
    """Return the decision as an HTML fragment."""
    return render_fragment("prefloop.evaluate.gates", result=result, headline=headline(result))
