import gzip
import json
from pathlib import Path

import pytest
from prefloop.errors import Problems, UserError
from prefloop.evaluate.mt_bench import (
    Answer,
    JudgePrompt,
    Question,
    answer_temperature,
    choose_prompt,
    fill_pair,
    fill_single,
    parse_rating,
    read_answers,
    read_judge_prompts,
    read_pair_judgments,
    read_questions,
    read_single_judgments,
)
from prefloop.evaluate.mt_bench.prompts import find_answers

from .conftest import played, rated

SINGLE = JudgePrompt("single-v1", "single", "Be fair.", "Q: {question}\nA: {answer}", "[[rating]]")
MATH = JudgePrompt(
    "single-math-v1-multi-turn", "single", "", "{ref_answer_2}|{question_1}|{answer_1}|{question_2}|{answer_2}",
    "[[rating]]",
)  # fmt: skip
PAIR = JudgePrompt("pair-v2", "pair", "Be fair.", "{question}|{answer_a}|{answer_b}", "[[A]]")
ASKED = Question(7, "math", ("1+1?", "and {2}?"))
ANSWER = Answer(7, "m", ("It's {two}.", "Still."))


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("category", "mode", "turn", "name"),
    [
        ("writing", "single", 1, "single-v1"),
        ("stem", "single", 2, "single-v1-multi-turn"),
        ("coding", "single", 1, "single-math-v1"),
        ("reasoning", "single", 2, "single-math-v1-multi-turn"),
        ("humanities", "pair", 1, "pair-v2"),
        ("extraction", "pair", 2, "pair-v2-multi-turn"),
        ("math", "pair", 1, "pair-math-v1"),
        ("math", "pair", 2, "pair-math-v1-multi-turn"),
    ],
)
def test_the_prompt_follows_category_mode_and_turn(category: str, mode: str, turn: int, name: str) -> None:
    assert choose_prompt(category, mode, turn) == name  # type: ignore[arg-type]


def test_temperatures() -> None:
    found = {name: answer_temperature(name) for name in ("roleplay", "math", "stem", "my own")}
    assert found == {"roleplay": 0.7, "math": 0.0, "stem": 0.1, "my own": 0.7}


def test_braces_in_questions_and_answers_stay() -> None:
    asked = fill_single(SINGLE, ASKED, ANSWER, turn=1)
    assert asked.user == "Q: 1+1?\nA: It's {two}."
    assert asked.messages() == [{"role": "system", "content": "Be fair."}, {"role": "user", "content": asked.user}]
    second = fill_single(MATH, ASKED, ANSWER, turn=2, reference=Answer(7, "gpt-4", ("2", "4")))
    assert second.user == "4|1+1?|It's {two}.|and {2}?|Still."
    assert second.messages() == [{"role": "user", "content": second.user}]


def test_the_second_game_exchanges_the_answers() -> None:
    other = Answer(7, "n", ("3", "4"))
    assert fill_pair(PAIR, ASKED, ANSWER, other, turn=1).user == "1+1?|It's {two}.|3"
    assert fill_pair(PAIR, ASKED, other, ANSWER, turn=1).user == "1+1?|3|It's {two}."


def test_what_is_missing_is_said() -> None:
    with pytest.raises(ValueError, match="needs ref_answer_2 for turn 2 of question 7"):
        fill_single(MATH, ASKED, ANSWER, turn=2)
    with pytest.raises(ValueError, match="needs ref_answer_2"):
        fill_single(MATH, ASKED, ANSWER, turn=2, reference=Answer(7, "gpt-4", ("2",)))
    with pytest.raises(ValueError, match="question 7 has no turn 2 in answer"):
        fill_single(MATH, ASKED, Answer(7, "m", ("2",)), turn=2)
    with pytest.raises(ValueError, match="pair-v2 is a pair prompt"):
        fill_single(PAIR, ASKED, ANSWER, turn=1)
    with pytest.raises(ValueError, match="needs answer, question for turn 2"):
        fill_single(SINGLE, ASKED, ANSWER, turn=2)


def test_answers_are_found_in_a_filled_prompt() -> None:
    user = fill_single(MATH, ASKED, ANSWER, turn=2, reference=Answer(7, "gpt-4", ("2", "4"))).user
    assert find_answers(MATH, user) == {"answer_1": "It's {two}.", "answer_2": "Still."}
    assert find_answers(SINGLE, "[Instruction]\nBe fair.\n\nQ: a\nA: b") == {"answer": "b"}
    assert find_answers(SINGLE, "something else") is None


def test_files_go_round(tmp_path: Path) -> None:
    singles = (rated(1, 1, 7.5), rated(1, 2, None, "n"))
    assert read_single_judgments(write(tmp_path / "single.jsonl", *(each.row() for each in singles))) == singles
    pairs = tuple(
        played(number, first, second, turn=1 + number % 2)
        for number, (first, second) in enumerate([("A", "A"), ("B", "tie"), (None, "B"), ("tie", None)])
    )  # fmt: skip
    assert read_pair_judgments(write(tmp_path / "pair.jsonl", *(each.row() for each in pairs))) == pairs


def test_winners_are_recorded_by_model() -> None:
    row = played(1, "A", "B").row()
    assert (row["g1_winner"], row["g2_winner"]) == ("model_1", "model_1")
    assert played(1, None, "A").row()["g1_winner"] == "error"


def test_only_the_first_choice_is_an_answer_and_the_others_are_counted(tmp_path: Path) -> None:
    choices = [{"index": 0, "turns": ["a", "b"]}, {"index": 1, "turns": ["c"]}]
    path = write(tmp_path / "m.jsonl", {"question_id": 7, "model_id": "m", "choices": choices})
    assert read_answers(path) == {7: Answer(7, "m", ("a", "b"), 2)}


def test_wrong_lines_are_named_all_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "q.jsonl", {"question_id": 1, "category": "x", "turns": []}, {"question_id": 2}, "no")
    with pytest.raises(Problems) as told:
        read_questions(path)
    assert [problem.split(":")[0] for problem in told.value.problems] == ["line 1", "line 2", "line 3"]
    one = {"question_id": 1, "category": "x", "turns": ["?"]}
    with pytest.raises(Problems, match="line 2: question 1 is on line 1 already"):
        read_questions(write(tmp_path / "twice.jsonl", one, one))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"prompt_template": "{question} {anwser}"}, "names anwser, question; for single prompts there are answer"),
        ({"prompt_template": "{question} {"}, "can't be filled in"),
        ({"type": "duel"}, "type: Input should be 'single' or 'pairwise'"),
        ({"output_format": "[[x]]"}, "output_format"),
    ],
)
def test_prompts_that_can_not_be_used_are_refused(tmp_path: Path, changes: dict[str, str], told: str) -> None:
    row = {
        "name": "p", "type": "single", "system_prompt": "", "prompt_template": "{question} {answer}",
        "output_format": "[[rating]]",
    }  # fmt: skip
    assert read_judge_prompts(write(tmp_path / "ok.jsonl", row))["p"].fields == ("question", "answer")
    with pytest.raises(Problems, match=told.replace("(", r"\(")):
        read_judge_prompts(write(tmp_path / "bad.jsonl", row | changes))
    with pytest.raises(Problems, match="'p' comes twice"):
        read_judge_prompts(write(tmp_path / "twice.jsonl", row, row))


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="can't be read"):
        read_questions(tmp_path / "none.jsonl")
    (tmp_path / "bad.jsonl.gz").write_bytes(gzip.compress(b"{}" * 100)[:-20])
    with pytest.raises(UserError, match="can't be read"):
        read_questions(tmp_path / "bad.jsonl.gz")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(UserError, match="holds no answers"):
        read_answers(tmp_path / "empty.jsonl")
    nothing = rated(1, 1, 5).row() | {"score": float("nan")}
    with pytest.raises(Problems, match="line 1: score"):
        read_single_judgments(write(tmp_path / "nan.jsonl", nothing))


def test_every_real_judgment_is_read_as_it_was_recorded(real: Path) -> None:
    judgments = read_single_judgments(real / "model_judgment_gpt-4_single.jsonl.gz")
    assert len(judgments) == 320
    assert [each for each in judgments if parse_rating(each.text) != each.score] == []


def test_filled_prompts_are_those_that_gpt_4_was_sent(real: Path) -> None:
    prompts = read_judge_prompts(real / "judge_prompts.jsonl")
    questions = {question.id: question for question in read_questions(real / "question.jsonl")}
    references = read_answers(real / "reference_answer" / "gpt-4.jsonl")
    assert (len(prompts), len(questions), len(references)) == (8, 80, 30)
    for judgment in read_single_judgments(real / "model_judgment_gpt-4_single.jsonl.gz"):
        question = questions[judgment.question_id]
        name = choose_prompt(question.category, "single", judgment.turn)
        assert name == judgment.prompt
        found = find_answers(prompts[name], judgment.user_prompt)
        assert found is not None
        answer = Answer(question.id, judgment.model, tuple(found.values()))
        filled = fill_single(prompts[name], question, answer, turn=judgment.turn, reference=references.get(question.id))
        assert filled.user == judgment.user_prompt
