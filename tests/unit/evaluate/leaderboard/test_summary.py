import csv
import gzip
import json
import os
from collections.abc import Callable
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefloop.evaluate.leaderboard import V1, V2, GroupScore, Summary, normalize, summarize_v1, summarize_v2

Run = Callable[..., dict[str, Any]]


def group(summary: Summary, name: str) -> GroupScore:
    return next(each for each in summary.groups if each.benchmark == name)


@pytest.mark.parametrize(
    ("raw", "bound", "expected"),
    [
        (0.625, 0.25, 50.0),
        (0.25, 0.25, 0.0),
        (0.1, 0.25, 0.0),
        (1.0, 1 / 3, 100.0),
        (0.55, 0.10, 50.0),
        (0.3, 0.0, 30.0),
        (0, 0.5, 0.0),
    ],
)
def test_normalised_scores(raw: float, bound: float, expected: float) -> None:
    assert normalize(raw, bound) == pytest.approx(expected)


@given(st.floats(0, 1), st.floats(0, 0.95))
def test_normalised_scores_stay_on_the_scale_and_in_order(raw: float, bound: float) -> None:
    assert 0 <= normalize(raw, bound) <= 100 + 1e-9
    assert normalize(raw, bound) <= normalize(min(1.0, raw + 0.01), bound)


@pytest.mark.parametrize(("raw", "bound"), [(1.5, 0.25), (-0.1, 0), (float("nan"), 0), (0.5, 1), (0.5, -0.1), (63, 0)])
def test_what_is_no_share_is_refused(raw: float, bound: float) -> None:
    with pytest.raises(ValueError, match="lies between 0 and 1"):
        normalize(raw, bound)


def test_the_tables_are_the_leaderboards() -> None:
    sizes = {each.name: sum(subtask.questions for subtask in each.subtasks) for each in V2 + V1}
    assert sizes == {
        "IFEval": 541, "BBH": 5761, "MATH lvl 5": 1324, "GPQA": 1192, "MuSR": 756, "MMLU-Pro": 12032,
        "ARC": 1172, "HellaSwag": 10042, "MMLU": 14042, "TruthfulQA": 817, "Winogrande": 1267, "GSM8K": 1319,
    }  # fmt: skip
    assert {each.name: len(each.subtasks) for each in V2 + V1 if len(each.subtasks) > 1} == {
        "BBH": 24, "MATH lvl 5": 7, "GPQA": 3, "MuSR": 3, "MMLU": 57,
    }  # fmt: skip


def test_the_tasks_are_lm_evals() -> None:
    tasks = Path(pytest.importorskip("lm_eval").__file__).parent / "tasks"
    files = [*(tasks / "leaderboard").rglob("*.y*ml"), *(tasks / "mmlu" / "default").glob("*.yaml")]
    files += [tasks / each for each in ("arc/arc_challenge.yaml", "hellaswag/hellaswag.yaml", "gsm8k/gsm8k.yaml")]
    files += [tasks / "truthfulqa/truthfulqa_mc2.yaml", tasks / "winogrande/default.yaml"]
    named = {
        line.split(":", 1)[1].strip().strip("\"'")
        for file in files
        for line in file.read_text().splitlines()
        if line.lstrip().startswith("task:") or line.startswith('"task":')
    }
    assert {subtask.task for each in V2 + V1 for subtask in each.subtasks} - named == set()


def test_baselines_are_one_over_the_choices() -> None:
    yaml = pytest.importorskip("yaml")
    folder = Path(pytest.importorskip("lm_eval").__file__).parent / "tasks" / "leaderboard" / "bbh_mc"
    found = {}
    for subtask in next(each for each in V2 if each.name == "BBH").subtasks:
        text = (folder / f"{subtask.task.removeprefix('leaderboard_bbh_')}.yaml").read_text()
        found[subtask.task] = 1 / len(yaml.safe_load(text)["doc_to_choice"]) - subtask.lower_bound
    assert len(found) == 24
    assert set(found.values()) == {0.0}


def test_guessing_scores_nothing_and_perfection_everything(run: Run) -> None:
    bounds = {subtask.task: subtask.lower_bound for each in V2 for subtask in each.subtasks}
    guessed, perfect = summarize_v2(run(V2, bounds.__getitem__)), summarize_v2(run(V2, lambda task: 1.0))
    assert [each.score.value for each in guessed.groups] == [0.0] * 6
    assert [each.score.value for each in perfect.groups] == [pytest.approx(100)] * 6
    assert [each.benchmark for each in guessed.groups] == ["IFEval", "BBH", "MATH lvl 5", "GPQA", "MuSR", "MMLU-Pro"]
    assert guessed.average is not None
    assert guessed.average.value == 0
    assert perfect.average is not None
    assert perfect.average.high == 100
    assert perfect.average.low is not None
    assert 0 < 100 - perfect.average.low < 1  # no question wrong is not certainty


def test_musr_normalises_each_subtask_and_takes_the_plain_mean(run: Run) -> None:
    raw = {"murder_mysteries": 0.4, "object_placements": 0.36, "team_allocation": 0.5}
    found = group(summarize_v2(run(V2, lambda task: raw.get(task.removeprefix("leaderboard_musr_"), 0.5))), "MuSR")
    # 0.4 is below 1/2: 0. (0.36 - 0.2) / 0.8 = 0.2. (1/2 - 1/3) / (2/3) = 0.25.
    assert found.score.value == pytest.approx((0 + 20 + 25) / 3)
    assert found.raw.value == pytest.approx(1.26 / 3)
    assert [each.clipped for each in found.subtasks] == [True, False, False]
    errors = [sqrt(0.4 * 0.6 / 249) * 2, sqrt(0.36 * 0.64 / 255) / 0.8, sqrt(0.25 / 249) * 1.5]
    assert found.score.standard_error == pytest.approx(100 * sqrt(sum(error**2 for error in errors)) / 3)
    assert found.label == "MuSR"


def test_bbh_is_not_lm_evals_own_value(run: Run) -> None:
    small = {"leaderboard_bbh_causal_judgement", "leaderboard_bbh_penguins_in_a_table", "leaderboard_bbh_snarks"}
    results = run(V2, lambda task: 1.0 if task in small else 0.5)
    results["results"]["leaderboard_bbh"] = {"acc_norm,none": (511 + 2625) / 5761}  # weighted by size
    results["group_subtasks"]["leaderboard_bbh"] = ["leaderboard_bbh_snarks"]
    summary = summarize_v2(results)
    assert group(summary, "BBH").raw.value == pytest.approx((3 + 10.5) / 24)
    assert summary.ignored == ()


def test_math_takes_all_questions_together(run: Run) -> None:
    results = run(V2, lambda task: 0.75 if task == "leaderboard_math_algebra_hard" else 0.25)
    found = group(summarize_v2(results), "MATH lvl 5")
    assert found.score.value == pytest.approx(100 * (307 * 0.75 + 1017 * 0.25) / 1324)
    sizes = [307, 123, 132, 280, 154, 193, 135]
    errors = [sqrt(0.75 * 0.25 / (n - 1)) for n in sizes]
    together = sqrt(sum((n * error) ** 2 for n, error in zip(sizes, errors, strict=True))) / 1324
    assert found.score.standard_error == pytest.approx(100 * together)
    assert found.score.low == pytest.approx(found.score.value - 1.959964 * 100 * together)


def test_gpqa_questions_that_come_thrice_are_one_question(run: Run) -> None:
    raw = {"diamond": 0.30, "main": 0.35, "extended": 0.40}
    found = group(summarize_v2(run(V2, lambda task: raw.get(task.removeprefix("leaderboard_gpqa_"), 0.5))), "GPQA")
    mean = (198 * 0.30 + 448 * 0.35 + 546 * 0.40) / 1192
    assert found.score.value == pytest.approx((mean - 0.25) / 0.75 * 100)
    # 198 questions count three times, 250 twice, 98 once, so with one variance v a question it is
    # (9 * 198 + 4 * 250 + 98) v / 1192²; written as sums over the three sets it is the same.
    variances = [n * n * p * (1 - p) / (n - 1) for n, p in ((198, 0.30), (448, 0.35), (546, 0.40))]
    expected = sqrt(5 * variances[0] + 3 * variances[1] + variances[2]) / 1192
    assert found.score.standard_error == pytest.approx(expected / 0.75 * 100)
    assert 5 * 198 + 3 * 448 + 546 == 9 * 198 + 4 * 250 + 98


def test_gpqas_error_is_that_of_repeated_questions() -> None:
    numpy = pytest.importorskip("numpy")
    draws = numpy.random.default_rng(0).random((4000, 546)) < 0.4
    means = (draws[:, :198].sum(1) + draws[:, :448].sum(1) + draws.sum(1)) / 1192
    found = summarize_v2(
        {"results": {f"leaderboard_gpqa_{name}": {"acc_norm,none": 0.4} for name in ("diamond", "main", "extended")}}
    )
    assert group(found, "GPQA").raw.standard_error == pytest.approx(means.std(), rel=0.04)


def samples(count: int) -> list[dict[str, Any]]:
    numpy = pytest.importorskip("numpy")
    draw = numpy.random.default_rng(1)
    rows = []
    for size, level in zip(draw.choice([1, 2, 3], count, p=[0.56, 0.33, 0.11]), draw.beta(2, 2, count), strict=True):
        followed = [bool(each) for each in draw.random(size) < level]
        rows.append({"prompt_level_strict_acc": all(followed), "inst_level_strict_acc": followed})
    return rows


def accuracies(rows: list[dict[str, Any]]) -> tuple[float, float]:
    flat = [each for row in rows for each in row["inst_level_strict_acc"]]
    return sum(flat) / len(flat), sum(row["prompt_level_strict_acc"] for row in rows) / len(rows)


def test_ifeval_is_the_mean_of_both_strict_accuracies_and_its_error_the_bootstraps() -> None:
    numpy = pytest.importorskip("numpy")
    rows = samples(541)
    instructions, prompts = accuracies(rows)
    entry = {
        "inst_level_strict_acc,none": instructions, "inst_level_strict_acc_stderr,none": "N/A",
        "prompt_level_strict_acc,none": prompts, "inst_level_loose_acc,none": 0.9, "sample_len": 541,
    }  # fmt: skip
    results = {"results": {"leaderboard_ifeval": entry}, "samples": {"leaderboard_ifeval": rows}}
    logged = group(summarize_v2(results), "IFEval")
    assert logged.score.value == pytest.approx(50 * (instructions + prompts))
    draw = numpy.random.default_rng(2)
    again = [sum(accuracies([rows[i] for i in draw.integers(541, size=541)])) / 2 for _ in range(400)]
    assert logged.raw.standard_error == pytest.approx(numpy.std(again), rel=0.1)
    assert "delta method" in logged.error_rule
    bound = group(summarize_v2({"results": {"leaderboard_ifeval": entry}}), "IFEval")
    assert "upper bound" in bound.error_rule
    assert bound.raw.standard_error is not None
    assert logged.raw.standard_error is not None
    assert logged.raw.standard_error < bound.raw.standard_error < 1.5 * logged.raw.standard_error


def test_nothing_right_is_not_certain() -> None:
    entry = {"exact_match,none": 0.0, "exact_match_stderr,none": 0.0, "sample_len": 135}
    found = summarize_v2({"results": {"leaderboard_math_precalculus_hard": entry}}).groups[0]
    # Agresti and Coull with z² = 3.8415: p = 1.9207 / 138.8415.
    p = 1.9207 / 138.8415
    assert found.raw.standard_error == pytest.approx(sqrt(p * (1 - p) / 138.8415), rel=1e-3)
    assert (found.raw.value, found.raw.low) == (0, 0)


def test_a_missing_standard_error_follows_from_scores_of_0_and_1_only() -> None:
    entry = {"acc,none": 0.5, "acc_stderr,none": "N/A", "sample_len": 101}
    found = summarize_v2({"results": {"leaderboard_mmlu_pro": entry}}).groups[0]
    assert found.raw.standard_error == pytest.approx(0.05)
    truthful = summarize_v1({"results": {"truthfulqa_mc2": entry}}).groups[0]
    assert (truthful.score.standard_error, truthful.score.low) == (None, None)


def test_a_part_never_has_the_groups_name(run: Run) -> None:
    results = run(V2, lambda task: 0.5)
    for name in ("boolean_expressions", "navigate"):
        del results["results"][f"leaderboard_bbh_{name}"]
    del results["results"]["leaderboard_musr_murder_mysteries"]
    results["n-samples"]["leaderboard_gpqa_main"]["effective"] = 10
    results["n-shot"]["leaderboard_mmlu_pro"] = 0
    del results["results"]["leaderboard_ifeval"]
    results["results"]["my_task"] = {"acc,none": 0.5}
    summary = summarize_v2(results)
    assert [each.label for each in summary.groups] == [
        "part of BBH: 22 of 24 subtasks (without leaderboard_bbh_boolean_expressions, leaderboard_bbh_navigate)",
        "MATH lvl 5",
        "part of GPQA: 754 of 1,192 questions",
        "part of MuSR: 2 of 3 subtasks (without leaderboard_musr_murder_mysteries)",
        "MMLU-Pro, not as published: 0 shots, not 5",
    ]
    assert [each.as_published for each in summary.groups] == [False, True, False, False, False]
    assert (summary.average, summary.absent, summary.ignored) == (None, ("IFEval",), ("my_task",))


def test_the_average_is_the_plain_mean_of_the_six(run: Run) -> None:
    summary = summarize_v2(run(V2, lambda task: 0.6))
    assert summary.average is not None
    assert summary.average.value == pytest.approx(sum(each.score.value for each in summary.groups) / 6)
    squares = [each.score.standard_error**2 for each in summary.groups if each.score.standard_error is not None]
    assert len(squares) == 6
    assert summary.average.standard_error == pytest.approx(sqrt(sum(squares)) / 6)


def test_what_the_results_do_not_say_is_told() -> None:
    found = summarize_v2({"results": {"leaderboard_mmlu_pro": {"acc,none": 0.55, "acc_stderr,none": 0.01}}})
    assert found.groups[0].unknown == ("how many questions were asked", "how many shots were given")
    assert found.groups[0].score.value == pytest.approx(50)
    assert found.groups[0].score.standard_error == pytest.approx(1 / 0.9)
    assert found.chat_template == "not recorded"
    for template, said in (("{{messages}}", "on"), (None, "off")):
        results = {"results": {"leaderboard_mmlu_pro": {"acc,none": 0.55}}, "chat_template": template}
        assert summarize_v2(results).chat_template == said


def test_what_is_no_leaderboard_result_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"nothing of Open LLM Leaderboard v2 .* leaderboard_bbh .*its tasks are needed"
    ):
        summarize_v2({"results": {"leaderboard_bbh": {"acc_norm,none": 0.5}}})
    with pytest.raises(ValueError, match="under 'results'"):
        summarize_v2({"leaderboard_mmlu_pro": {"acc,none": 0.5}})
    with pytest.raises(ValueError, match=r"gsm8k has no exact_match,strict-match .* are exact_match,flexible-extract"):
        summarize_v1({"results": {"gsm8k": {"exact_match,flexible-extract": 0.5}}})
    with pytest.raises(ValueError, match="asked no questions"):
        summarize_v2({"results": {"leaderboard_mmlu_pro": {"acc,none": 0.5, "sample_len": 0}}})
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        summarize_v2({"results": {"leaderboard_mmlu_pro": {"acc,none": 55.0}}})


def test_results_may_come_from_lm_evals_file(run: Run) -> None:
    results = run(V1, lambda task: 0.6)
    summary = summarize_v1(json.loads(json.dumps(results)))
    assert summary == summarize_v1(results)
    assert [each.label for each in summary.groups] == [
        "ARC", "HellaSwag", "MMLU", "TruthfulQA", "Winogrande", "GSM8K",
    ]  # fmt: skip
    assert summary.average is not None
    assert summary.average.value == pytest.approx(60)


@pytest.mark.skipif("PREFLOOP_TEST_DATA" not in os.environ, reason="PREFLOOP_TEST_DATA is not set")
def test_real_mmlu_answers_average_over_subjects() -> None:
    with gzip.open(Path(os.environ["PREFLOOP_TEST_DATA"]) / "paired" / "mmlu_two_models.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    model = "mixtral"
    subjects: dict[str, list[int]] = {}
    for row in rows:
        subjects.setdefault(row["subject"], []).append(int(row[model]))
    results = {
        "results": {f"mmlu_{name}": {"acc,none": sum(each) / len(each)} for name, each in subjects.items()},
        "n-samples": {f"mmlu_{name}": {"effective": len(each)} for name, each in subjects.items()},
    }
    found = summarize_v1(results).groups[0]
    by_subject = sum(sum(each) / len(each) for each in subjects.values()) / 57
    by_question = sum(map(sum, subjects.values())) / 14042
    assert (found.label, found.deviations) == ("MMLU", ())
    assert found.score.value == pytest.approx(100 * by_subject)
    assert abs(by_subject - by_question) > 0.005  # the two means are different numbers
