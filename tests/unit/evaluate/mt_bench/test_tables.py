import random
from math import sqrt
from pathlib import Path

import pytest
from prefloop.evaluate.mt_bench import (
    Question,
    mean_score,
    pair_table,
    read_questions,
    read_single_judgments,
    score_table,
)

from .conftest import played, rated


def test_the_mean_is_over_judgments_and_not_over_the_means_of_turns() -> None:
    found = mean_score([rated(1, 1, 4), rated(1, 2, None), rated(2, 1, 8), rated(2, 2, 9)])
    assert found.value == 7  # 21 / 3; the mean of the turns' means is (6 + 9) / 2
    assert (found.scored, found.unscored, found.questions, found.repeated) == (3, 1, 2, 0)


def test_errors_are_clustered_by_question() -> None:
    judgments = [rated(number, turn, score) for number, score in enumerate([2, 4, 6, 8]) for turn in (1, 2)]
    found = mean_score(judgments)
    # Deviations -3, -1, 1, 3, twice each: sqrt(4 (9 + 1 + 1 + 9)) / 8 by clusters, up to (n - 1) / n; as eight
    # independent ratings it would be sqrt(40 / 7 / 8) = 0.85.
    assert found.standard_error == pytest.approx(sqrt(80) / 8, rel=0.08)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 5 - 2 * sqrt(80) / 8 < 5 + 2 * sqrt(80) / 8 < found.high


def test_equal_ratings_are_not_certain() -> None:
    found = mean_score([rated(number, 1, 10) for number in range(10)])
    assert (found.value, found.high) == (10, 10)
    assert found.low == pytest.approx(1 + 9 * 10 / (10 + 1.959964**2))  # Wilson's lower limit for 10 of 10


def test_nothing_scored_is_no_zero() -> None:
    found = mean_score([rated(1, 1, None)])
    assert (found.value, found.low, found.high, found.standard_error, found.unscored) == (None, None, None, None, 1)
    alone = mean_score([rated(1, 1, 5), rated(1, 2, 7)])
    assert (alone.value, alone.standard_error, alone.low) == (6, None, None)


def test_ratings_off_the_scale_count_as_with_fastchat() -> None:
    found = mean_score([rated(1, 1, 15), rated(2, 1, 0), rated(3, 1, 6)])
    assert found.value == 7
    assert (found.low, found.high) == (0, 15)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    draw, held, rounds = random.Random(0), 0, 400
    for _ in range(rounds):
        judgments = []
        for number in range(20):
            level = draw.choice([9, 9, 8, 8, 7, 5])  # mean 7 2/3
            judgments += [rated(number, turn, level + draw.choice([-1, 0, 1])) for turn in (1, 2)]
        found = mean_score(judgments)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 46 / 6 <= found.high
    assert held / rounds == pytest.approx(0.95, abs=0.025)


def test_the_table_has_every_slice_and_counts_what_is_missing(questions: list[Question]) -> None:
    judgments = [
        rated(1, 1, 8), rated(1, 2, 6), rated(2, 1, 4), rated(2, 2, None), rated(2, 1, 5),
        rated(1, 1, 9, "better"), rated(3, 1, 9, "better"),
    ]  # fmt: skip
    rows = {(row.model, row.category, row.turn): row for row in score_table(judgments, questions)}
    assert next(iter(rows)) == ("better", None, None)
    assert [key[1:] for key in rows if key[0] == "m"] == [
        (None, None), (None, 1), (None, 2), ("writing", None), ("math", None),
        ("writing", 1), ("writing", 2), ("math", 1), ("math", 2),
    ]  # fmt: skip
    whole = rows["m", None, None]
    assert whole.score.value == (8 + 6 + 4 + 5) / 4
    assert (whole.score.unscored, whole.score.repeated, whole.missing) == (1, 1, 1)
    assert rows["m", "math", 2].score.value is None
    assert rows["better", "writing", 2].missing == 1


def test_judges_are_not_mixed(questions: list[Question]) -> None:
    rows = score_table([rated(1, 1, 8), rated(1, 1, 2, judge="small")], questions)
    assert {row.judge: row.score.value for row in rows if row.category is None and row.turn is None} == {
        "gpt-4": 8, "small": 2,
    }  # fmt: skip


def test_judgments_of_other_questions_are_refused(questions: list[Question]) -> None:
    with pytest.raises(ValueError, match=r"1 turns that the questions don't have: 9 \(turn 1\)"):
        score_table([rated(9, 1, 8)], questions)
    with pytest.raises(ValueError, match=r"3 \(turn 2\)"):
        score_table([rated(3, 2, 8)], questions)


def test_wins_ties_and_losses_are_fastchats(questions: list[Question]) -> None:
    judgments = [
        played(1, "A", "B"),  # win
        played(1, "B", "A", turn=2),  # loss
        played(2, "tie", "B"),  # game 1 is a tie
        played(2, "A", "A", turn=2),  # whatever is first
        played(3, None, "B"),
        played(3, "A", "B", models=("base", "third")),
    ]
    rows = pair_table(judgments, questions, baseline="base")
    assert {row.model for row in rows} == {"ours", "third"}
    ours = next(row for row in rows if row.model == "ours")
    assert (ours.wins, ours.losses, ours.ties, ours.unscored) == (1, 1, 2, 1)
    assert (ours.inconsistent, ours.shown_first, ours.shown_second) == (2, 1, 0)
    assert (ours.missing, ours.repeated, ours.against) == (0, 0, ("base",))
    assert ours.win_rate is not None
    assert ours.adjusted is not None
    assert ours.consistency is not None
    assert (ours.win_rate.value, ours.adjusted.value, ours.consistency.value) == (0.25, 0.5, 0.5)
    third = next(row for row in rows if row.model == "third")
    assert (third.wins, third.losses, third.missing) == (0, 1, 4)


def test_without_a_baseline_each_model_meets_all_others(questions: list[Question]) -> None:
    judgments = [played(1, "A", "B"), played(1, "A", "B", models=("ours", "third"))]
    rows = [row for row in pair_table(judgments, questions, baseline=None) if (row.turn, row.category) == (None, None)]
    assert [(row.model, row.wins, row.losses, row.against) for row in rows] == [
        ("ours", 2, 0, ("base", "third")), ("base", 0, 1, ("ours",)), ("third", 0, 1, ("ours",)),
    ]  # fmt: skip
    assert rows[0].adjusted is not None
    assert rows[0].adjusted.low < 0.5  # two wins on one question are one question's


def test_a_baseline_that_nobody_met_is_refused(questions: list[Question]) -> None:
    with pytest.raises(ValueError, match=r"no judgment involves 'gpt-3.5-turbo'; the models are base, ours"):
        pair_table([played(1, "A", "B")], questions)
    with pytest.raises(ValueError, match="with itself"):
        pair_table([played(1, "A", "B", models=("base", "base"))], questions, baseline="base")


def test_the_real_scores(real: Path) -> None:
    judgments = read_single_judgments(real / "model_judgment_gpt-4_single.jsonl.gz")
    rows = {
        (row.model, row.turn): row
        for row in score_table(judgments, read_questions(real / "question.jsonl"))
        if row.category is None
    }
    # As printed by FastChat's show_result.py on the same file.
    expected = {
        ("gpt-4-1106-preview", 1): 9.40625,
        ("gpt-4-1106-preview", 2): 9.05,
        ("gpt-4-1106-preview", None): 9.228125,
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", 1): 8.69375,
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", 2): 7.9875,
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", None): 8.340625,
    }
    assert {key: row.score.value for key, row in rows.items()} == expected
    assert {row.missing + row.score.unscored + row.score.repeated for row in rows.values()} == {0}
