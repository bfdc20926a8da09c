"""Benchmark tasks and wordings through the real lm-eval, on a random two-layer model with and without an adapter."""

import csv
import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prefloop.errors import Problems
from prefloop.evaluate.formats import FormatsSettings, audit_formats
from prefloop.evaluate.subject import Subject, open_subject
from prefloop.evaluate.tasks import TasksSettings, run_tasks
from prefloop.evaluate.tasks.definitions import define
from prefloop.evaluate.tasks.run import model_args
from prefloop.models import resolve_model
from tiny_model import make_tiny_adapter, make_tiny_model

pytest.importorskip("lm_eval")
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # of what peft imports


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("model") / "tiny", "bytes", context=4096)


@pytest.fixture(scope="module")
def adapter(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_adapter(tiny, tmp_path_factory.mktemp("adapter"))


@pytest.fixture(scope="module")
def punkt(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A made-up punkt_tab, so that no test needs NLTK's data."""
    import nltk

    folder = tmp_path_factory.mktemp("nltk")
    english = folder / "tokenizers" / "punkt_tab" / "english"
    english.mkdir(parents=True)
    for name in ("collocations.tab", "sent_starters.txt", "abbrev_types.txt", "ortho_context.tab"):
        (english / name).write_text("")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nltk.data, "path", [str(folder)])
        patch.setenv("NLTK_DATA", str(folder))
        yield folder


def lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror with two made-up questions of every benchmark of both leaderboards."""
    folder, draw = tmp_path_factory.mktemp("mirror"), random.Random(0)
    texts = [[f"{draw.choice(['red', 'blue', 'green'])} {word}" for word in ("owl", "cat", "dog", "hen")] for _ in "ab"]
    foundry = [{"query": f"Question: Which one, {n}?", "choices": texts[n], "gold": n} for n in (0, 1)]
    lines(folder / "arc" / "arc_challenge_2.jsonl", foundry)
    lines(folder / "arc" / "train_2.jsonl", [dict(row, query=row["query"] + "!") for row in foundry])
    lines(folder / "hellaswag" / "hellaswag_2.jsonl", [dict(row, query="Baking: One, then") for row in foundry])
    listed = " ".join(f"({letter}) {text}" for letter, text in zip("ABCD", texts[0], strict=True))
    mmlu = {"query": f"Question: Which?\n{listed}\n", "choices": list("ABCD"), "gold": 2}
    lines(folder / "mmlu" / "mmlu_2.jsonl", [dict(mmlu, category=subject) for subject in ("anatomy", "virology")])
    schema = {"context_options": ["So Ada", "So Bob"], "continuation": "won."}
    lines(folder / "winogrande" / "winogrande_2.jsonl", [dict(schema, gold=n) for n in (0, 1)])
    sums = [{"question": f"{n}+1?", "answer": f"Easy.\n#### {n + 1}"} for n in (1, 2)]
    lines(folder / "gsm8k" / "test.jsonl", sums)
    lines(folder / "gsm8k" / "train.jsonl", [*sums, *sums, *sums])
    with (folder / "truthfulqa.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["Question", "Best Answer", "Correct Answers", "Incorrect Answers"])
        writer.writeheader()
        for n in (1, 2):
            row = (f"What is {n}?", "A number", "A number; A digit", "A letter; A word")
            writer.writerow(dict(zip(writer.fieldnames, row, strict=True)))
    (folder / "truthfulqa").mkdir()
    (folder / "truthfulqa.csv").rename(folder / "truthfulqa" / "TruthfulQA.csv")
    second_leaderboard(folder)
    return folder


def second_leaderboard(folder: Path) -> None:
    (folder / "bbh").mkdir()
    for name, text, target in (
        ("navigate", "Do you return?\nOptions:\n- Yes\n- No", "No"),
        ("boolean_expressions", "not True is", "False"),
    ):
        examples = [{"input": text, "target": target}, {"input": f"And {text}", "target": target}]
        (folder / "bbh" / f"{name}.json").write_text(json.dumps({"canary": "x", "examples": examples}))
    followed = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
    two = {"num_sentences": 2, "relation": "at least"}
    counted = {"instruction_id_list": ["length_constraints:number_sentences"], "kwargs": [two]}
    rows = [{"key": n, "prompt": "Say.", **one} for n, one in enumerate((followed, counted))]
    lines(folder / "ifeval" / "input_data.jsonl", rows)
    story = {"narrative": "It rained.", "question": "Who?", "choices": "['Ada', 'Bob']", "answer_choice": "Bob"}
    for name in ("murder_mystery", "object_placements", "team_allocation"):
        lines(folder / "musr" / f"{name}.jsonl", [story | {"answer_index": 1}] * 2)
    maths = {"problem": "1+1?", "solution": "It is $\\boxed{2}$.", "level": "Level 5", "type": "Algebra"}
    lines(folder / "math" / "algebra.jsonl", [maths, maths | {"level": "Level 1"}])
    asked = {"Question": "Why?", "Correct Answer": "so", **{f"Incorrect Answer {n}": f"not {n}" for n in (1, 2, 3)}}
    lines(folder / "gpqa" / "gpqa_diamond.jsonl", [asked] * 2)
    pro = {"question": "Which?", "options": ["a", "b", "c"], "answer": "B", "answer_index": 1, "category": "law"}
    lines(folder / "mmlu_pro" / "test.jsonl", [pro] * 2)
    lines(folder / "mmlu_pro" / "validation.jsonl", [pro] * 5)


def models(tiny: Path, adapter: Path | None = None) -> Subject:
    return open_subject(resolve_model(str(tiny)), adapter)


def unloaded(models: Subject) -> Subject:
    return replace(models, models=lambda: pytest.fail("a model was loaded"))


def test_every_benchmark_of_both_leaderboards_runs_from_a_mirror(
    tiny: Path, mirror: Path, punkt: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = TasksSettings(run=("leaderboard_v2", "leaderboard_v1"), data_dir=mirror, limit=1, batch_size=4)
    seen: list[tuple[int, int]] = []
    found = run_tasks(settings, models(tiny), tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert capfd.readouterr() == ("", ""), "a library doesn't print"
    assert [row.name for row in found.rows] == [
        "ifeval", "bbh", "math", "gpqa", "musr", "mmlu_pro",
        "arc", "hellaswag", "mmlu", "truthfulqa", "winogrande", "gsm8k",
    ]  # fmt: skip
    assert all(0 <= row.base.raw.value <= 1 for row in found.rows)
    assert all("questions" in row.label for row in found.rows), "each is called a part"
    assert found.averages == ()
    by_name = {row.name: row for row in found.rows}
    assert [one.task for one in by_name["gpqa"].base.subtasks] == ["leaderboard_gpqa_diamond"]
    assert by_name["arc"].base.subtasks[0].shots == 2, "as many as the mirror has"
    assert seen[-1][0] == seen[-1][1]
    assert {entry.reason for entry in found.left_out} >= {"parts of BBH that the data folder lacks"}
    again = run_tasks(settings, unloaded(models(tiny)), tmp_path)
    assert again.asked_now == 0
    assert again.rows == found.rows


def test_a_killed_run_goes_on_task_by_task(tiny: Path, adapter: Path, mirror: Path, tmp_path: Path) -> None:
    settings = TasksSettings(run=("arc", "winogrande", "hellaswag"), data_dir=mirror, batch_size=4)

    class Killed(Exception):
        pass

    def kill_in_the_second_task(done: int, total: int) -> None:
        if done > total / 2:
            raise Killed

    with pytest.raises(Killed):
        run_tasks(settings, models(tiny, adapter), tmp_path, progress=kill_in_the_second_task)
    kept = sorted(path.name for path in (tmp_path / "outcomes").iterdir())
    assert len(kept) >= 2
    found = run_tasks(settings, models(tiny, adapter), tmp_path)
    assert 0 < found.asked_now < 3
    assert kept == sorted(path.name for path in (tmp_path / "outcomes").iterdir() if path.name in kept)
    assert [row.decision is not None for row in found.rows] == [True] * 3
    fresh = run_tasks(settings, models(tiny, adapter), tmp_path / "other")
    assert [row.base for row in fresh.rows] == [row.base for row in found.rows]
    assert [row.tuned for row in fresh.rows] == [row.tuned for row in found.rows]


@pytest.fixture(scope="module")
def whole(tiny: Path, adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tuned model as one of its own: an adapter is loaded in bfloat16 here and in float32 by lm-eval."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("whole")
    model = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.bfloat16)
    PeftModel.from_pretrained(model, str(adapter)).merge_and_unload().save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("chat", [False, True])
def test_scores_are_lm_evals_own(tiny: Path, whole: Path, mirror: Path, tmp_path: Path, chat: bool) -> None:
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    names = ("arc", "gsm8k", "gpqa", "leaderboard_bbh_navigate")
    settings = TasksSettings(run=names, data_dir=mirror, apply_chat_template=chat, batch_size=2)
    found = run_tasks(settings, models(tiny, whole), tmp_path)
    definitions = define(settings, tmp_path)
    theirs = simple_evaluate(
        "hf",
        model_args=dict(part.split("=", 1) for part in model_args(models(tiny, whole), "tuned").split(",")),
        tasks=[task.task for task in definitions.tasks],
        task_manager=TaskManager(include_path=[str(definitions.folder)], include_defaults=False),
        batch_size=2,
        device="cpu",
        apply_chat_template=chat,
        fewshot_as_multiturn=chat,
        bootstrap_iters=10,
        log_samples=True,
    )
    kept = [json.loads(path.read_text()) for path in (tmp_path / "outcomes").glob("*.json")]
    ours = {one["task"]: one["outcome"] for one in kept if one["who"] == "tuned"}
    assert set(ours) == set(theirs["results"])
    for task, outcome in ours.items():
        metrics = {name: value for name, value in theirs["results"][task].items() if "," in name}
        assert {name: outcome["results"][name] for name in metrics if "stderr" not in name} == {
            name: value for name, value in metrics.items() if "stderr" not in name
        }
        asked = {(row["doc_id"], row["doc_hash"]) for row in theirs["samples"][task]}
        assert {(item["doc_id"], item["doc_hash"]) for item in outcome["items"]} == asked
        assert outcome["shots"] == theirs["n-shot"][task]
    assert found.chat_template is chat


def test_what_would_stop_a_run_is_told_before_a_model_is_loaded(mirror: Path, punkt: Path, tmp_path: Path) -> None:
    small = make_tiny_model(tmp_path / "small", "bytes", template=None)
    settings = TasksSettings(run=("ifeval", "gsm8k", "leaderboard_bbh_navigate"), data_dir=mirror)
    with pytest.raises(Problems, match="leaderboard_ifeval lets the model write 1280 tokens, but its context is 512"):
        run_tasks(settings, unloaded(models(small)), tmp_path / "out")
    with pytest.raises(Problems, match="has no chat template"):
        run_tasks(settings.model_copy(update={"apply_chat_template": True}), unloaded(models(small)), tmp_path / "out")
    cut = run_tasks(settings.model_copy(update={"run": settings.run[2:]}), models(small), tmp_path / "out")
    (entry,) = [one for one in cut.left_out if "cut off" in one.reason]
    assert entry.ids == ("0", "1")


def test_own_tasks_of_both_kinds_and_a_task_file(tiny: Path, adapter: Path, tmp_path: Path) -> None:
    asked = [{"question": f"Number {n}?", "choices": ["Paris", "Rome"], "answer": n % 2} for n in range(3)]
    lines(tmp_path / "capitals.jsonl", asked)
    lines(tmp_path / "exact.jsonl", [{"question": "Of Italy?", "answer": "Rome"}] * 2)
    (tmp_path / "mine.yaml").write_text(
        "task: mine\ndataset_path: json\ndataset_kwargs: {data_files: {test: capitals.jsonl}}\ntest_split: test\n"
        'output_type: multiple_choice\ndoc_to_text: "{{question}}"\ndoc_to_choice: choices\ndoc_to_target: answer\n'
        "metric_list: [{metric: acc}]\nnum_fewshot: 1\nfewshot_split: test\n"
    )
    own = tuple(str(tmp_path / name) for name in ("capitals.jsonl", "exact.jsonl", "mine.yaml"))
    found = run_tasks(TasksSettings(run=own, batch_size=2), models(tiny, adapter), tmp_path / "out")
    assert [(row.name, row.metric, row.questions) for row in found.rows] == [
        ("capitals", "acc,none", 3), ("exact", "exact_match,first-line", 2), ("mine", "acc,none", 3),
    ]  # fmt: skip
    assert [row.base.subtasks[0].shots for row in found.rows] == [0, 0, 1]
    assert all(row.decision is not None for row in found.rows)


def test_wordings_are_asked_once_of_both_models(tiny: Path, adapter: Path, mirror: Path, tmp_path: Path) -> None:
    settings = FormatsSettings(data=mirror, benchmark="bbh", batch_size=4, resamples=200)
    both = models(tiny, adapter)
    found = audit_formats(settings, both, tmp_path)
    names = [variant.name for variant in found.variants]
    assert "yes and no" in names
    assert names[-1] == "in the chat template"
    assert found.questions == 4
    assert found.flips is not None
    assert found.flips.tuned_ahead + found.flips.base_ahead + found.flips.even == len(names)
    again = audit_formats(settings, unloaded(both), tmp_path)
    assert again.variants == found.variants
    assert (again.base, again.tuned) == (found.base, found.tuned)
    assert found.variants[0].base.value in (0.0, 0.25, 0.5, 0.75, 1.0)


def test_a_wordings_scores_are_lm_evals_own(tiny: Path, tmp_path: Path) -> None:
    rows = [{"question": f"Number {n}?", "choices": ["one", "two", "three"], "answer": n % 3} for n in range(9)]
    lines(tmp_path / "own.jsonl", rows)
    (tmp_path / "same.yaml").write_text(
        "task: same\ndataset_path: json\ndataset_kwargs: {data_files: {test: own.jsonl}}\ntest_split: test\n"
        'output_type: multiple_choice\ndoc_to_text: "Q: {{question}}\\nA:"\ndoc_to_choice: choices\n'
        "doc_to_target: answer\nmetric_list: [{metric: acc_norm}]\nnum_fewshot: 0\n"
    )
    tasks = run_tasks(TasksSettings(run=(str(tmp_path / "same.yaml"),)), models(tiny), tmp_path / "out")
    found = audit_formats(FormatsSettings(data=tmp_path / "own.jsonl", resamples=200), models(tiny), tmp_path / "out")
    scores = {variant.name: variant.base.value for variant in found.variants}
    assert scores["not listed, Q: and A:"] == tasks.rows[0].base.raw.value


def run_command(*said: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("prefloop")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [str(program), "bench", *said], capture_output=True, text=True, env=environment, check=False, cwd=Path("/")
    )


def test_the_commands_write_what_was_found(tiny: Path, adapter: Path, mirror: Path, tmp_path: Path) -> None:
    shared = [str(tiny), "--adapter", str(adapter), "--data-dir", str(mirror), "--keep", str(tmp_path)]
    done = run_command("tasks", *shared, "--tasks", "arc,winogrande", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [row["name"] for row in found["rows"]] == ["arc", "winogrande"]
    assert found["rows"][0]["decision"]["verdict"]
    assert "--include_path" in found["commands"][1]
    shown = run_command("tasks", *shared, "--tasks", "arc,winogrande")
    assert "part of ARC" in " ".join(shown.stdout.split())
    assert "0 of 2 tasks asked now" in shown.stderr
    done = run_command("formats", *shared, "--tasks", "arc", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["base"]["gap"]["n"] == 2
    wrong = run_command("tasks", *shared, "--tasks", "nonsense")
    assert wrong.returncode == 2
    assert "'nonsense' is no task: known are leaderboard_v2" in " ".join(wrong.stderr.split())
    assert "Traceback" not in wrong.stderr


@pytest.mark.skipif("PREFLOOP_TEST_DATA" not in os.environ, reason="PREFLOOP_TEST_DATA names no folder of real data")
def test_real_files_are_read_and_asked(tiny: Path, punkt: Path, tmp_path: Path) -> None:
    data = Path(os.environ["PREFLOOP_TEST_DATA"])
    every = ("ifeval", "bbh", "musr", "leaderboard_v1")
    definitions = define(TasksSettings(run=every, data_dir=data), tmp_path)
    assert len(definitions.tasks) == 1 + 6 + 3 + 6
    settings = TasksSettings(run=("bbh", "leaderboard_v1"), data_dir=data, limit=1, batch_size=4)
    found = run_tasks(settings, models(tiny), tmp_path)
    sizes = {one.task: one.questions for row in found.rows for one in row.base.subtasks}
    assert len(sizes) == 12
    assert set(sizes.values()) == {1}
    read = [json.loads(path.read_text()) for path in (tmp_path / "outcomes").iterdir()]
    kept = {one["task"]: one["outcome"] for one in read}
    assert [kept[name]["questions"] for name in ("arc_challenge", "winogrande", "gsm8k")] == [500, 400, 300]
    assert kept["truthfulqa_mc2"]["questions"] == 790
    assert kept["leaderboard_bbh_causal_judgement"]["questions"] == 187
