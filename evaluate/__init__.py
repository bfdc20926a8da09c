"""Models in, an honest report out."""

if __name__ == "evaluate":
    raise ModuleNotFoundError(
        "prefloop's evaluate/ folder is shadowing Hugging Face's `evaluate`: the repository root is on sys.path. "
        "Run console scripts (`pytest`, `prefloop`, `lm-eval`) instead of `python -m …`, or leave this directory."
    )

from .benchmarks import check_benchmarks
from .check import CheckSettings
from .estimate import LeftOut
from .evaluation import evaluate_adapter
from .general import GeneralSettings
from .judge import JudgeSettings
from .page import write_page
from .report import Report, read_report, write_report_json
from .settings import EvaluateSettings
from .subject import Subject, open_subject, open_trained

__all__ = [
    "CheckSettings",
    "EvaluateSettings",
    "GeneralSettings",
    "JudgeSettings",
    "LeftOut",
    "Report",
    "Subject",
    "check_benchmarks",
    "evaluate_adapter",
    "open_subject",
    "open_trained",
    "read_report",
    "write_page",
    "write_report_json",
]
