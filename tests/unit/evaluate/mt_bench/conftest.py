import os
from pathlib import Path

import pytest
from prefloop.evaluate.mt_bench import PairJudgment, PairVerdict, Question, SingleJudgment


@pytest.fixture(scope="session")
def real() -> Path:
    """FastChat's own files, and GPT-4's judgments of two models."""
    if "PREFLOOP_TEST_DATA" not in os.environ:
        pytest.skip("PREFLOOP_TEST_DATA is not set")
    return Path(os.environ["PREFLOOP_TEST_DATA"]) / "mt_bench"


@pytest.fixture
def questions() -> list[Question]:
    return [
        Question(1, "writing", ("Write.", "Again.")),
        Question(2, "math", ("1+1?", "2+2?")),
        Question(3, "math", ("3+3?",)),
    ]


def rated(question: int, turn: int, score: float | None, model: str = "m", **changes: str) -> SingleJudgment:
    text = "Hm." if score is None else f"Good. Rating: [[{score:g}]]"
    about = {"judge": "gpt-4", "prompt": "single-v1", "text": text} | changes
    return SingleJudgment(question, model, turn=turn, score=score, **about)  # type: ignore[arg-type]


def played(
    question: int,
    first: PairVerdict | None,
    second: PairVerdict | None,
    *,
    turn: int = 1,
    models: tuple[str, str] = ("ours", "base"),
    **changes: str,
) -> PairJudgment:
    words = {"A": "[[A]]", "B": "[[B]]", "tie": "[[C]]", None: "Hm."}
    about = {
        "judge": "gpt-4", "prompt": "pair-v2", "first_text": words[first], "second_text": words[second],
    } | changes  # fmt: skip
    return PairJudgment(question, *models, turn=turn, first=first, second=second, **about)  # type: ignore[arg-type]
