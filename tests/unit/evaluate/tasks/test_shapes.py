"""Rows of other forms give the prompts that lm-eval makes of the Hub's own rows."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from prefloop.evaluate.tasks.catalogue import SOURCES, choose
from prefloop.evaluate.tasks.definitions import lm_eval_file
from prefloop.evaluate.tasks.shapes import CONVERT


def utils(source: str, name: str) -> Any:
    """A module that lm-eval's task calls."""
    task = next(one for one in choose([source]) if one.source.name == source).benchmark.subtasks[0].task
    path = lm_eval_file(next(one for one in SOURCES if one.name == source), task).parent / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"lm_eval_{source}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_task_has_its_file_in_lm_eval() -> None:
    files = {
        one.task: lm_eval_file(chosen.source, one.task)
        for chosen in choose(["leaderboard_v1", "leaderboard_v2"])
        for one in chosen.benchmark.subtasks
    }
    assert len(files) == 57 + 5 + 1 + 24 + 7 + 3 + 3 + 1
    wrong = [task for task, path in files.items() if f"task: {task}\n" not in text(path) + "\n"]
    assert wrong == []


def text(path: Path) -> str:
    return path.read_text().replace('"', "").replace("'", "") if path.exists() else ""


def test_winogrande_asks_for_the_same_texts() -> None:
    module = utils("winogrande", "preprocess_winogrande")
    hub = {
        "sentence": "Sarah was a better surgeon than Maria so _ got the easier cases.",
        "option1": "Sarah",
        "option2": "Maria",
        "answer": "2",
    }
    foundry = CONVERT["winogrande"](
        {
            "context_options": [
                "Sarah was a better surgeon than Maria so Sarah",
                "Sarah was a better surgeon than Maria so Maria",
            ],
            "continuation": "got the easier cases.",
            "gold": 1,
        }
    )
    for function in (module.doc_to_text, module.doc_to_target, module.doc_to_choice):
        assert function(foundry) == function(hub)
    assert CONVERT["winogrande"](hub) == hub


def test_hellaswag_asks_for_the_same_texts() -> None:
    datasets = pytest.importorskip("datasets")
    module = utils("hellaswag", "utils")
    hub = {
        "activity_label": "Baking cookies",
        "ctx_a": "A chef shows a stack of pans.",
        "ctx_b": "the pans",
        "endings": ["contain egg yolks.", "are placed on the counter [step] now."],
        "label": "1",
    }
    foundry = CONVERT["hellaswag"](
        {
            "query": "Baking cookies: A chef shows a stack of pans. The pans",
            "choices": ["contain egg yolks.", "are placed on the counter now."],
            "gold": 1,
        }
    )
    ours, theirs = (module.process_docs(datasets.Dataset.from_list([row]))[0] for row in (foundry, hub))
    for name in ("query", "choices", "gold"):
        assert ours[name] == theirs[name]


def test_mmlu_options_are_taken_out_of_the_question() -> None:
    query = "Question: Which?\n1. this\n2. that\n(A) True, True (B) False, False (C) both (x) (D) none\n"
    row = {"query": query, "choices": ["A", "B", "C", "D"], "gold": 3, "category": "anatomy"}
    assert CONVERT["mmlu"](row) == {
        "question": "Which?\n1. this\n2. that",
        "choices": ["True, True", "False, False", "both (x)", "none"],
        "answer": 3,
        "subject": "anatomy",
    }


@pytest.mark.parametrize(
    ("source", "row", "said"),
    [
        ("mmlu", {"query": "Question: A?\n(A) a (B) b\n", "choices": ["A", "B", "C"], "gold": 0}, "no options"),
        ("arc", {"query": "Question: A?", "choices": ["a", "b"], "gold": 2}, "no index into 2"),
        ("arc", {"question": "A?"}, "choices"),
        ("bbh", {"input": "x"}, "target"),
        ("gsm8k", {"question": "x", "answer": "2"}, "####"),
        ("winogrande", {"sentence": "no gap", "option1": "a", "option2": "b", "answer": "1"}, "pattern"),
        ("ifeval", {"key": 1, "prompt": "x", "instruction_id_list": ["a", "b"], "kwargs": [{}]}, "2 instructions"),
        ("truthfulqa", {"Question": "x", "Best Answer": "b", "Correct Answers": ";", "Incorrect Answers": "w"}, "no r"),
    ],
)  # fmt: skip
def test_a_row_of_another_shape_is_refused_with_a_reason(source: str, row: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        CONVERT[source](row)


def test_truthfulqa_table_becomes_both_lists_of_answers() -> None:
    row = {
        "Question": "What?", "Best Answer": "Nothing", "Correct Answers": "Nothing; Not much.; ",
        "Incorrect Answers": "All;Some",
    }  # fmt: skip
    assert CONVERT["truthfulqa"](row) == {
        "question": "What?",
        "mc1_targets": {"choices": ["Nothing.", "All.", "Some."], "labels": [1, 0, 0]},
        "mc2_targets": {"choices": ["Nothing.", "Not much.", "All.", "Some."], "labels": [1, 1, 0, 0]},
    }


def test_ifeval_rows_stay_as_they_are() -> None:
    row = {"key": 1, "prompt": "x", "instruction_id_list": ["a:b"], "kwargs": [{"num_words": 3}]}
    assert CONVERT["ifeval"](row) == row
