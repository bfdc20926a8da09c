"""Which model for this job? Candidates on the user's own examples, ranked with what the examples leave open."""

from .candidates import Candidate, find_candidates
from .examples import Example, read_examples
from .judging import JudgeSettings
from .page import write_page
from .ranking import Ranked, Ranking, rank
from .result import PAGE, REPORT, TryOut, write_result
from .running import try_out
from .settings import TryOutSettings

__all__ = [
    "PAGE",
    "REPORT",
    "Candidate",
    "Example",
    "JudgeSettings",
    "Ranked",
    "Ranking",
    "TryOut",
    "TryOutSettings",
    "find_candidates",
    "rank",
    "read_examples",
    "try_out",
    "write_page",
    "write_result",
]
