"""Models in, an honest report out."""

if __name__ == "evaluate":
    raise ModuleNotFoundError(
        "prefloop's evaluate/ folder is shadowing Hugging Face's `evaluate`: the repository root is on sys.path. "
        "Run console scripts (`pytest`, `prefloop`, `lm-eval`) instead of `python -m …`, or leave this directory."
    )

from .evaluation import evaluate_adapter
from .page import write_page
from .report import LeftOut, Report, read_report, write_report_json
from .settings import CheckSettings, EvaluateSettings, GeneralSettings, JudgeSettings

__all__ = [
    "CheckSettings",
    "EvaluateSettings",
    "GeneralSettings",
    "JudgeSettings",
    "LeftOut",
    "Report",
    "evaluate_adapter",
    "read_report",
    "write_page",
    "write_report_json",
]
