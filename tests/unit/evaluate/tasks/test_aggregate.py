"""Columns, paired differences and cache keys, from made-up outcomes."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prefloop.errors import UserError
from prefloop.evaluate.estimate import LeftOut
from prefloop.evaluate.statistics import paired_difference
from prefloop.evaluate.subject import Subject
from prefloop.evaluate.tasks import TaskResults, TasksSettings
from prefloop.evaluate.tasks.aggregate import aggregate
from prefloop.evaluate.tasks.catalogue import resolve_name
from prefloop.evaluate.tasks.definitions import Defined, Group
from prefloop.evaluate.tasks.harness import Cut, Item, Outcome, find_cut, new_tokens
from prefloop.evaluate.tasks.measure import Measured, key_of, read_measured, scores_of, write_measured
from prefloop.evaluate.tasks.words import caveats, row_cells, summarise
from prefloop.models import ModelFolder
from pydantic import TypeAdapter

SETTINGS = TasksSettings(run=("bbh",))
ITEMS = tuple[Item, ...]


def items(scores: list[float], metric: str = "acc_norm,none", clusters: list[str] | None = None) -> ITEMS:
    names = clusters or [""] * len(scores)
    return tuple(Item(n, f"hash{n}", names[n], {metric: score}) for n, score in enumerate(scores))


def measured(
    task: str, found: ITEMS, *, who: str = "base", shots: int = 3, questions: int | None = None, **results: Any
) -> Measured:
    metric = next(iter(found[0].metrics))
    mean = sum(float(item.metrics[metric]) for item in found if not isinstance(item.metrics[metric], list)) / len(found)
    entry = {metric: mean, **results}
    return Measured("k", task, who, "m", Outcome(entry, found, questions or len(found), shots), None, 1.0)


def group(name: str, *tasks: str, notes: tuple[str, ...] = ()) -> Group:
    (chosen,) = resolve_name(name)
    return Group(name, chosen.board, chosen, tuple(Defined(task, Path(), "s", ()) for task in tasks), notes)


def alone(name: str, metric: str = "acc,none") -> Group:
    return Group(name, "your own", None, (Defined(name, Path(), "s", ()),))


BBH = ("leaderboard_bbh_boolean_expressions", "leaderboard_bbh_navigate")


def test_a_part_of_a_benchmark_is_called_a_part_and_has_no_average() -> None:
    tasks = {name: measured(name, items([1.0, 1.0, 1.0, 0.0])) for name in BBH}
    rows, averages = aggregate([group("bbh", *BBH)], {"base": tasks}, SETTINGS)
    (row,) = rows
    assert row.label.startswith("part of BBH: 2 of 24 subtasks")
    assert not row.as_published
    assert row.base.raw.value == 0.75
    assert row.base.score.value == pytest.approx(50.0)
    assert row.decision is None
    assert averages == ()


def test_subtasks_of_unlike_sizes_count_the_same_in_the_difference() -> None:
    base = {BBH[0]: measured(BBH[0], items([0.0] * 6)), BBH[1]: measured(BBH[1], items([0.0, 0.0]))}
    tuned = {
        BBH[0]: measured(BBH[0], items([1.0, 1.0, 1.0, 0.0, 0.0, 0.0]), who="tuned"),
        BBH[1]: measured(BBH[1], items([0.0, 1.0]), who="tuned"),
    }
    (row,), _ = aggregate([group("bbh", *BBH)], {"base": base, "tuned": tuned}, SETTINGS)
    assert row.decision is not None
    assert row.decision.difference.value == pytest.approx(0.5), "the plain mean of both subtasks' 0.5"
    assert row.clusters == "questions", "two subtasks are too few to be drawn from"


def test_many_subtasks_are_the_clusters() -> None:
    (chosen,) = resolve_name("mmlu")
    names = [one.task for one in chosen.benchmark.subtasks[:6]]
    ours = {name: measured(name, items([1.0, 0.0, float(n % 2)], "acc,none"), shots=5) for n, name in enumerate(names)}
    theirs = {name: measured(name, items([0.0, 0.0, 1.0], "acc,none"), shots=5) for name in names}
    (row,), _ = aggregate([group("mmlu", *names)], {"base": theirs, "tuned": ours}, SETTINGS)
    expected = paired_difference(
        [score for n in range(6) for score in (1.0, 0.0, float(n % 2))],
        [0.0, 0.0, 1.0] * 6,
        [name for name in names for _ in range(3)],
    )
    assert row.decision is not None
    assert row.decision.difference == expected
    assert row.clusters == "subtasks"


def test_questions_that_share_a_text_are_one_cluster() -> None:
    task = "leaderboard_musr_object_placements"
    story = ["s1", "s1", "s2", "s2", "s3", "s3"]
    base = {task: measured(task, items([0, 0, 0, 1, 0, 1], clusters=story), shots=0)}
    tuned = {task: measured(task, items([1, 1, 0, 1, 0, 0], clusters=story), shots=0)}
    (row,), _ = aggregate([group("musr", task)], {"base": base, "tuned": tuned}, SETTINGS)
    assert row.clusters == "shared texts"
    assert row.decision is not None
    assert row.decision.difference.clusters == 3


def test_ifeval_score_is_the_mean_of_both_accuracies() -> None:
    found = (
        Item(0, "a", "", {"prompt_level_strict_acc,none": 1.0, "inst_level_strict_acc,none": [True, True]}),
        Item(1, "b", "", {"prompt_level_strict_acc,none": 0.0, "inst_level_strict_acc,none": [True, False, False]}),
    )
    scores = scores_of(found, ("inst_level_strict_acc,none", "prompt_level_strict_acc,none"))
    assert sum(scores) / 2 == pytest.approx((3 / 5 + 1 / 2) / 2)


def test_verdicts_are_corrected_for_how_many_tasks_were_looked_at() -> None:
    settings = TasksSettings(run=("x.jsonl",), margin=None)
    base = {name: measured(name, items([0.0] * 12, "acc,none")) for name in "ab"}
    better = items([1.0] * 6 + [0.0] * 6, "acc,none")
    tuned = {"a": measured("a", better), "b": measured("b", items([0.0] * 12, "acc,none"))}
    rows, _ = aggregate([alone("a"), alone("b")], {"base": base, "tuned": tuned}, settings)
    first = rows[0].decision
    assert first is not None
    assert first.comparisons == 2
    assert first.p == pytest.approx(2 * 2 * 0.5**6)
    assert first.verdict == "can't tell yet"
    (one,), _ = aggregate([alone("a")], {"base": base, "tuned": tuned}, settings)
    assert one.decision is not None
    assert one.decision.verdict == "better"


def test_other_questions_are_not_paired() -> None:
    base = {"a": measured("a", items([0.0, 1.0], "acc,none"))}
    other = tuple(replace(item, doc_hash=f"other{item.doc_id}") for item in items([0.0, 1.0], "acc,none"))
    with pytest.raises(UserError, match="asked other questions"):
        aggregate([alone("a")], {"base": base, "tuned": {"a": measured("a", other)}}, SETTINGS)


def test_an_own_task_without_a_number_a_question_is_refused() -> None:
    found = replace(measured("a", items([1.0], "acc,none")), outcome=Outcome({"f1,none": 1.0}, items([1.0]), 1, 0))
    with pytest.raises(UserError, match="one number a question"):
        aggregate([alone("a")], {"base": {"a": found}}, SETTINGS)


def test_one_question_has_no_error(tmp_path: Path) -> None:
    both = {
        "base": {"a": measured("a", items([1.0], "acc,none"))},
        "tuned": {"a": measured("a", items([0.0], "acc,none"))},
    }
    (row,), _ = aggregate([alone("a")], both, SETTINGS)
    assert (row.base.raw.value, row.base.raw.standard_error, row.base.score.low) == (1.0, None, None)
    assert row.decision is None
    assert row_cells(row)[3] == "one question says nothing"


def test_notes_stand_in_the_label() -> None:
    name = "gsm8k"
    found = measured(name, items([1.0, 0.0], "exact_match,strict-match"), shots=5, questions=1319)
    whole = replace(
        found, outcome=replace(found.outcome, items=items([1.0, 0.0] * 659 + [1.0], "exact_match,strict-match"))
    )
    (row,), _ = aggregate([group(name, name, notes=("shots from 20",))], {"base": {name: whole}}, SETTINGS)
    assert row.label == "GSM8K, not as published: shots from 20"
    assert not row.as_published
    (plain,), _ = aggregate([group(name, name)], {"base": {name: whole}}, SETTINGS)
    assert plain.label == "GSM8K"
    assert plain.as_published


def subject(**changes: Any) -> Subject:
    base = ModelFolder("tiny", Path("/nowhere"), "folder", "local", changes.pop("sha256", "s"))
    fields = {"adapter": None, "adapter_sha256": "", "chat_template": "t", "device": "cpu"} | changes
    never = partial(pytest.fail, "nothing is loaded")
    return Subject(base, models=never, read_tokenizer=never, **fields)


def test_everything_an_outcome_depends_on_is_in_its_key(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text("task: t\ndataset_path: json\n")
    defined = Defined("t", file, "d", ())
    adapter = {"adapter": tmp_path, "adapter_sha256": "a"}

    def key(models: Subject, who: Any = "base", one: Defined = defined, **settings: Any) -> str:
        return key_of(one, who, models, TasksSettings(run=("bbh",), **settings))

    plain = key(subject())
    assert plain == key(subject(**adapter)), "the base is the same whatever stands beside it"
    assert plain == key(subject(), margin=0.1), "what is said about a score is not the score"
    others = [
        key(subject(sha256="z")), key(subject(**adapter), "tuned"), key(subject(chat_template="u")),
        key(subject(device="cuda")), key(subject(), limit=3), key(subject(), batch_size=1),
        key(subject(), apply_chat_template=True),
        key(subject(), apply_chat_template=True, fewshot_as_multiturn=False),
        key(subject(), one=replace(defined, sha256="e")),
    ]  # fmt: skip
    assert len({plain, *others}) == len(others) + 1


def test_a_measurement_is_read_back_as_it_was(tmp_path: Path) -> None:
    found = replace(measured("t", items([1.0, 0.5])), cut=LeftOut("cut", ("1",)))
    write_measured(tmp_path, found)
    assert read_measured(tmp_path, "t", "k") == found
    assert read_measured(tmp_path, "t", "other") is None
    (tmp_path / "t-k.json").write_text("{}")
    with pytest.raises(UserError, match="delete it"):
        read_measured(tmp_path, "t", "k")


class Request:
    """What lm-eval would ask."""

    def __init__(self, doc_id: int, kind: str, *args: Any) -> None:
        self.doc_id, self.request_type, self.args = doc_id, kind, args


def letters(text: str) -> dict[str, list[int]]:
    return {"input_ids": [0] * len(text)}


def test_prompts_that_are_cut_are_counted_with_their_ids() -> None:
    tokenizer: Any = letters
    requests = [Request(0, "loglikelihood", "a" * 9, "bb"), Request(1, "loglikelihood", "a" * 10, "bb")]
    assert find_cut(requests, tokenizer, 10) == Cut(("1",), None), "the last token is not read, only predicted"
    writing = [
        Request(2, "generate_until", "a" * 6, {"max_gen_toks": 4}),
        Request(3, "generate_until", "a" * 7, {"max_gen_toks": 4}),
    ]
    assert find_cut(writing, tokenizer, 10) == Cut(("3",), None)
    assert find_cut([Request(4, "generate_until", "a", {"max_gen_toks": 10})], tokenizer, 10).no_room == 10
    assert new_tokens({}) == 256


def results(tmp_path: Path) -> TaskResults:
    base = {"a": measured("a", items([0.0, 1.0, 1.0], "acc,none"))}
    tuned = {"a": measured("a", items([1.0, 1.0, 1.0], "acc,none"), who="tuned")}
    rows, averages = aggregate([alone("a")], {"base": base, "tuned": tuned}, SETTINGS)
    models = subject(adapter=tmp_path, adapter_sha256="a")
    (tmp_path / "adapter_config.json").write_text("{}")
    return TaskResults(
        models=tuple(models.identity(who) for who in models.sides), rows=rows, averages=averages, chat_template=True,
        limit=None, confidence=0.95, margin=0.02, settings={}, commands=("lm-eval <b>",), asked_now=1, tasks=1,
        left_out=(LeftOut("prompts cut", ("7",)),), versions={"lm-eval": "0.4.13"}, seconds=1.0, created="2026",
    )  # fmt: skip


def test_results_are_read_back_and_told(tmp_path: Path) -> None:
    from prefloop.evaluate.tasks.page import section

    found = results(tmp_path)
    adapter = TypeAdapter(TaskResults)
    assert adapter.validate_python(adapter.dump_python(found, mode="json"), strict=False) == found
    assert summarise(found) == "Of 1 benchmark, tuned against base: 1 can't tell yet (margin: 2 points)."
    assert row_cells(found.rows[0])[3].startswith("+33.3 (")
    assert any("in the model's chat template" in line for line in caveats(found))
    assert "Left out: 1 prompts cut (7)." in caveats(found)
    html = section(found)
    assert "lm-eval &lt;b&gt;" in html
    assert html.count("<svg") == 2
    assert "<script" not in html
