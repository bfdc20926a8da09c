"""A whole MT-Bench round: a small model and its adapter answer, a judge behind a real HTTP server judges them."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from openai_server import answering, question
from prefloop.asking import CostEstimate, EndpointSettings
from prefloop.cli import app
from prefloop.errors import UserError
from prefloop.evaluate.mt_bench import read_answers, read_pair_judgments, read_single_judgments
from prefloop.evaluate.mt_bench.page import section
from prefloop.evaluate.mt_bench.result import MtBench, overall, read_result
from prefloop.evaluate.mt_bench.running import run_mt_bench
from prefloop.evaluate.mt_bench.settings import MtBenchSettings
from prefloop.evaluate.mt_bench.words import words
from prefloop.evaluate.subject import open_subject
from prefloop.models import ModelFolder
from tiny_model import make_tiny_adapter
from typer.testing import CliRunner

QUESTIONS = [
    {"question_id": 81, "category": "writing", "turns": ["Write.", "Again."]},
    {"question_id": 82, "category": "writing", "turns": ["Tell.", "More."]},
    {"question_id": 111, "category": "math", "turns": ["1+1?", "2+2?"]},
    {"question_id": 112, "category": "math", "turns": ["3+3?", "4+4?"]},
]
SINGLE = "[Question]\n{question}\n\n[The Start of Assistant's Answer]\n{answer}\n[The End of Assistant's Answer]"
SINGLE_2 = "{question_1}\n{answer_1}\n{question_2}\n[The Start of Assistant's Answer]{answer_2}"
PAIR = "{question}\n[The Start of Assistant A's Answer]{answer_a}[The Start of Assistant B's Answer]{answer_b}"
PAIR_2 = "{question_1}{question_2}A: {answer_a_1}{answer_a_2} B: {answer_b_1}{answer_b_2}"


@pytest.fixture(scope="module")
def adapter(base: ModelFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_adapter(base.path, tmp_path_factory.mktemp("adapter") / "my-adapter")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Questions, prompts and references in FastChat's form."""
    system = "You are a judge. End with [[rating]]."
    templates = {
        "single-v1": SINGLE, "single-v1-multi-turn": SINGLE_2,
        "single-math-v1": SINGLE + "ref {ref_answer_1}", "single-math-v1-multi-turn": SINGLE_2 + "ref {ref_answer_2}",
        "pair-v2": PAIR, "pair-v2-multi-turn": PAIR_2,
        "pair-math-v1": PAIR + "ref {ref_answer_1}", "pair-math-v1-multi-turn": PAIR_2 + "ref {ref_answer_2}",
    }  # fmt: skip
    prompts = [
        {
            "name": name, "type": "single" if name.startswith("single") else "pairwise", "system_prompt": system,
            "prompt_template": text, "output_format": "[[rating]]" if name.startswith("single") else "[[A]]",
            "description": "", "category": "general",
        }
        for name, text in templates.items()
    ]  # fmt: skip
    references = [
        {"question_id": number, "model_id": "gpt-4", "choices": [{"index": 0, "turns": ["two", "four"]}]}
        for number in (111, 112)
    ]
    found = {}
    for name, rows in (("questions", QUESTIONS), ("prompts", prompts), ("references", references)):
        found[name] = tmp_path / f"{name}.jsonl"
        found[name].write_text("".join(json.dumps(row) + "\n" for row in rows))
    return found


def by_reference(body: dict[str, Any]) -> str:
    """Rate 7 beside a reference and 4 without, compare in favour of what is shown first; leave one unreadable."""
    text = question(body)
    if "Assistant A" in text or "A: " in text:
        return "First is better. [[A]]"
    if text.startswith("[Question]\nTell."):
        return "I can't say."
    return "As [[1]] is quoted: Rating: [[7]]" if "ref " in text else "Rating: [[4]]"


def settings(files: dict[str, Path], url: str, **changes: object) -> MtBenchSettings:
    judge = EndpointSettings(base_url=url, model="org/judge", input_price=1.0, output_price=2.0)
    given = {**files, "judge": judge, "max_new_tokens": 12, "judge_max_tokens": 50, "batch_size": 4, **changes}
    return MtBenchSettings.model_validate(given)


def test_a_whole_round_counts_and_writes_everything(
    base: ModelFolder, adapter: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    folder, estimates, seen = tmp_path / "run", list[CostEstimate](), list[tuple[int, int]]()
    with answering(by_reference) as judge:
        found = run_mt_bench(
            open_subject(base, adapter),
            settings(files, judge.url, mode="both"),
            folder=folder,
            announce=estimates.append,
            progress=lambda done, total: seen.append((done, total)),
        )
        again = run_mt_bench(open_subject(base, adapter), settings(files, judge.url, mode="both"), folder=folder)
    # Four questions of two turns: two models rated, one pair in both orders.
    assert len(judge.asked) == 8 * 2 + 8 * 2 == found.asked, "nothing is asked twice"
    assert [estimate.owed for estimate in estimates] == [32]
    assert seen[-1][0] == seen[-1][1]
    assert {(body["temperature"], body["max_tokens"]) for body in judge.asked} == {(0.0, 50)}
    assert (found.base, found.tuned, found.judge) == ("tiny-base", "tiny-base + my-adapter", "org/judge")
    assert found.judge_revisions == ("judge-v7",)
    row = overall(found.scores, "tiny-base")
    # Math 7 four times, writing 4 three times, and one that says nothing.
    assert row.score.value == pytest.approx((4 * 7 + 3 * 4) / 7)
    assert (row.score.scored, row.score.unscored, row.missing) == (7, 1, 0)
    assert overall(found.scores, "tiny-base", category="math").score.value == 7
    assert overall(found.scores, "tiny-base", turn=1).score.value == pytest.approx((7 + 7 + 4) / 3)
    # FastChat reads the first rating, which is a quotation here.
    fastchat = next(one for one in found.fastchat_scores if one.category == "math" and one.turn is None)
    assert fastchat.score.value == 1
    assert ("the strict reading differs", 8) in found.suspicions
    whole = found.differences[0]
    assert (whole.category, whole.value, whole.turns, whole.questions) == (None, 0.0, 7, 4)
    assert whole.low < 0 < whole.high, "four equal questions leave much open"
    pair = next(one for one in found.pairs if one.turn is None and one.category is None)
    assert (pair.wins, pair.ties, pair.losses, pair.inconsistent, pair.shown_first) == (0, 8, 0, 8, 8)
    assert [(entry.reason, entry.ids) for entry in found.left_out] == [
        (f"answers of {model} that the judge gave no readable rating", ("question 82, turn 1",))
        for model in ("tiny-base", "tiny-base + my-adapter")
    ]
    assert (found.input_tokens, found.output_tokens) == (320, 160)
    assert found.price == pytest.approx((320 * 1 + 160 * 2) / 1e6)
    assert again.scores == found.scores
    assert again.pairs == found.pairs


def test_fastchats_tools_find_their_files(
    base: ModelFolder, adapter: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    with answering(by_reference) as judge:
        run_mt_bench(open_subject(base, adapter), settings(files, judge.url, mode="both"), folder=tmp_path / "run")
    singles = read_single_judgments(tmp_path / "run/model_judgment/judge_single.jsonl")
    pairs = read_pair_judgments(tmp_path / "run/model_judgment/judge_pair.jsonl")
    answers = read_answers(tmp_path / "run/model_answer/tiny-base.jsonl")
    assert (len(singles), len(pairs), len(answers)) == (16, 8, 4)
    assert all(len(answer.turns) == 2 for answer in answers.values())
    assert {row.prompt for row in singles} == {
        "single-v1", "single-v1-multi-turn", "single-math-v1", "single-math-v1-multi-turn",
    }  # fmt: skip
    assert {(row.model_1, row.first, row.second) for row in pairs} == {("tiny-base + my-adapter", "A", "A")}
    # FastChat's own reading: the quoted 1, and -1 for what can't be read.
    assert {row.score for row in singles if row.question_id in (111, 112)} == {1}
    assert [row.score for row in singles if row.question_id == 82 and row.turn == 1] == [None, None]


def test_the_second_turn_shows_the_models_own_first_answer(
    base: ModelFolder, files: dict[str, Path], tmp_path: Path
) -> None:
    with answering(by_reference) as judge:
        found = run_mt_bench(open_subject(base), settings(files, judge.url, limit=1), folder=tmp_path / "run")
    first, second = read_answers(tmp_path / "run/model_answer/tiny-base.jsonl")[81].turns
    asked = sorted(judge.questions, key=len)
    assert f"Write.\n{first}\nAgain.\n" in next(text for text in asked if text.startswith("Write."))
    assert (found.tuned, found.questions, found.pairs, found.differences) == (None, 1, (), ())
    assert overall(found.scores, "tiny-base").score.low is None
    assert second


def test_turns_without_room_are_counted(base: ModelFolder, files: dict[str, Path], tmp_path: Path) -> None:
    rows = [*QUESTIONS, {"question_id": 83, "category": "writing", "turns": ["short", "x" * 5000]}]
    rows.append({"question_id": 84, "category": "writing", "turns": ["y" * 5000, "short"]})
    files["questions"].write_text("".join(json.dumps(row) + "\n" for row in rows))
    with answering(by_reference) as judge:
        found = run_mt_bench(open_subject(base), settings(files, judge.url), folder=tmp_path / "run")
    lost = ("question 83, turn 2", "question 84, turn 1", "question 84, turn 2")
    assert ("turns without room for an answer of tiny-base", lost) in [(one.reason, one.ids) for one in found.left_out]
    assert overall(found.scores, "tiny-base").missing == 3
    assert len(judge.asked) == 9


def test_what_is_missing_is_said_before_a_model_is_loaded(
    base: ModelFolder, files: dict[str, Path], tmp_path: Path
) -> None:
    without = {name: path for name, path in files.items() if name != "references"}
    with pytest.raises(UserError, match="2 questions are judged beside a reference"):
        run_mt_bench(open_subject(base), settings(without, "http://127.0.0.1:9/v1"), folder=tmp_path / "run")
    with pytest.raises(UserError, match="give an adapter"):
        run_mt_bench(open_subject(base), settings(files, "http://127.0.0.1:9/v1", mode="pair"), folder=tmp_path / "run")
    lines = files["prompts"].read_text().splitlines(keepends=True)
    files["prompts"].write_text("".join(lines[:3]))
    with pytest.raises(UserError, match="has no prompt single-math-v1-multi-turn"):
        run_mt_bench(open_subject(base), settings(files, "http://127.0.0.1:9/v1"), folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_local_model_judges(base: ModelFolder, files: dict[str, Path], tmp_path: Path) -> None:
    given = settings(files, "http://127.0.0.1:9/v1").model_copy(update={"judge": None, "local_judge": str(base.path)})
    found = run_mt_bench(open_subject(base), given, folder=tmp_path / "run")
    # A random model gives no rating, and that is what is said.
    assert overall(found.scores, "tiny-base").score.unscored == 8
    assert found.judge_revisions == (base.sha256[:16],)
    assert any("8 answers of tiny-base that the judge gave no readable rating" in sentence for sentence in words(found))
    assert (tmp_path / "run/judge_replies.jsonl").read_text().count("\n") == 8


def command(base: ModelFolder, files: dict[str, Path], url: str, *more: str) -> list[str]:
    given = [f"--{name}={path}" for name, path in files.items()]
    judge = [f"--judge-url={url}", "--judge-model=org/judge", "--max-new-tokens=12"]
    return ["bench", "mt-bench", str(base.path), *given, *judge, *more]


def test_the_command_shows_and_writes_the_round(
    base: ModelFolder, adapter: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    more = ["--adapter", str(adapter), "--mode", "both", "--out", str(out)]
    with answering(by_reference) as judge:
        estimated = CliRunner().invoke(app, command(base, files, judge.url, *more, "--estimate"))
        assert judge.asked == []
        shown = CliRunner().invoke(app, command(base, files, judge.url, *more))
    assert estimated.exit_code == 0, estimated.output
    assert "32 questions to ask (0 are answered already)" in estimated.output
    assert shown.exit_code == 0, shown.output
    assert "neither better nor worse as far as one can tell" in re.sub(r"\s+", " ", shown.output)
    found = read_result(out / "mt_bench.json")
    assert isinstance(found, MtBench)
    page = (out / "mt_bench.html").read_text()
    assert page.count("<svg") == 1
    assert "<script" not in page
    assert section(found) in page


def test_a_command_without_judge_says_what_to_give(base: ModelFolder, files: dict[str, Path]) -> None:
    given = [f"--{name}={path}" for name, path in files.items()]
    done = CliRunner().invoke(app, ["bench", "mt-bench", str(base.path), *given])
    assert isinstance(done.exception, UserError)
    assert "give one judge" in str(done.exception)


def test_the_real_files_make_a_round(base: ModelFolder, tmp_path: Path) -> None:
    root = os.environ.get("PREFLOOP_TEST_DATA")
    if not root:
        pytest.skip("PREFLOOP_TEST_DATA is not set")
    data = Path(root) / "mt_bench"
    files = {
        "questions": data / "question.jsonl",
        "prompts": data / "judge_prompts.jsonl",
        "references": data / "reference_answer" / "gpt-4.jsonl",
    }
    with answering(lambda body: "Rating: [[5]]") as judge:
        found = run_mt_bench(open_subject(base), settings(files, judge.url), folder=tmp_path / "run")
    row = overall(found.scores, "tiny-base")
    assert (found.questions, row.score.scored + row.missing, row.score.unscored) == (80, 160, 0)
    assert len(judge.asked) == row.score.scored
    assert {row.category for row in found.scores} >= {"math", "coding", "stem", "humanities"}
