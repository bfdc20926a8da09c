"""A release made of real parts: the real small model, the demo's votes, a real training and a real report."""

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from prefloop.collect import agreement, make_pairs, read_items, read_votes
from prefloop.evaluate import EvaluateSettings, evaluate_adapter, open_subject
from prefloop.evaluate.page import write_page
from prefloop.models import ModelFolder
from prefloop.publish import Evidence, PublishSettings, Release, read_release, write_release
from prefloop.runs import read_lines
from prefloop.train import TrainSettings, train_dpo

DEMO = Path(__file__).parents[2] / "recipes" / "demo"


@pytest.fixture(scope="module")
def evidence(small_model: ModelFolder, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """One turn of the loop on a handful of the demo's pairs."""
    folder = tmp_path_factory.mktemp("run")
    items, votes = read_items(DEMO / "items.jsonl"), read_votes(DEMO / "votes.jsonl")
    made = make_pairs(items, votes)
    pairs = [pair for pair in made.pairs if pair.kind == "vote"]
    sealed = pairs[:3]
    training = [pair for pair in pairs[3:] if pair.prompt_id not in {held.prompt_id for held in sealed}][:4]
    # Two steps, the first of them at the full rate: enough to tell the tuned model from its base.
    train = TrainSettings(base_model=small_model.name, batch_size=2, learning_rate=1e-3, warmup=0, max_length=512)
    adapter = train_dpo(training, train, base=small_model, folder=folder / "train")
    settings = EvaluateSettings(max_new_tokens=8, bootstrap=1000, examples=1)
    report = evaluate_adapter(open_subject(small_model, adapter.path), sealed, settings, folder=folder / "evaluate")
    counted = agreement(votes, resamples=100)
    collection = {
        "items": len(items), "statuses": {"submitted": len(votes)}, "outcomes": made.outcomes, "edits": made.edits,
        "left_out": {reason: list(ids) for reason, ids in made.left_out.items()}, "agreement": asdict(counted),
    }  # fmt: skip
    recipe = {
        "name": "demo", "task": "Write the first reply to a customer.", "train": train.model_dump(mode="json"),
        "collect": {"items": str(DEMO / "items.jsonl"), "votes": str(DEMO / "votes.jsonl"), "sealed_seed": 0},
    }  # fmt: skip
    return Evidence(recipe, small_model, adapter, collection, items, training, sealed, report)


@pytest.fixture(scope="module")
def release(evidence: Evidence) -> Release:
    run = evidence.adapter.path.parents[1]
    metrics = read_lines(run / "train" / "metrics.jsonl")
    page = write_page(
        run / "report.html", evidence.report, metrics=metrics, agreement=evidence.collection["agreement"], costs={}
    )
    settings = PublishSettings(license="apache-2.0", base_license="apache-2.0", languages=("en",), merged=True)
    return write_release(run / "release", evidence, settings, report_html=page)


def run_python(code: str, folder: Path) -> str:
    """Run code that knows nothing of prefloop in a process of its own."""
    command = [sys.executable, "-P", "-c", code]
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def distance(one: list[float], other: list[float]) -> float:
    """Return the mean absolute difference of log-probabilities, in nats a token."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)


def test_the_release_is_whole_and_tells_nothing_of_this_machine(release: Release) -> None:
    assert read_release(release.folder) == release
    places = [str(release.folder.parent), str(Path.home()), str(DEMO)]
    for path in (path for path in release.folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert [place for place in places if place.encode() in content] == [], path


def test_others_code_gives_the_trained_models_log_probabilities(release: Release, evidence: Evidence) -> None:
    said = run_python(
        f"""
import json, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

def say(model, adapter=None):
    tokenizer = AutoTokenizer.from_pretrained(adapter or model)
    model = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    model = PeftModel.from_pretrained(model, adapter) if adapter else model
    turns = [{{"role": "user", "content": "Where is it?"}}, {{"role": "assistant", "content": "Team: delivery"}}]
    ids = tokenizer.apply_chat_template(turns, return_tensors="pt", return_dict=True)["input_ids"]
    with torch.inference_mode():
        rows = model.eval()(ids).logits[0, :-1].log_softmax(-1)
    return [float(row[token]) for row, token in zip(rows, ids[0, 1:])]

base = {str(evidence.base.path)!r}
print(json.dumps([say(base), say(base, {str(evidence.adapter.path)!r}), say(base, "."), say("merged")]))
""",
        release.folder,
    )
    plain, trained, published, merged = json.loads(said)
    assert published == trained
    assert distance(plain, trained) > 0.01
    # Rounding the merged weights to bfloat16 moves single tokens; it must stay far below what the training moved.
    assert distance(merged, trained) < distance(plain, trained) / 4


def test_the_cards_code_answers_with_the_tuned_model(release: Release, evidence: Evidence) -> None:
    card = (release.folder / "README.md").read_text(encoding="utf-8")
    first, second, *_ = re.findall(r"```python\n(.*?)```", card, flags=re.S)
    name = f'base = "{evidence.base.name}"'
    assert name in first
    # Here the Hub can't be asked for the base, and the folder it was converted to stands in.
    answers = [run_python(first.replace(name, f"base = {str(evidence.base.path)!r}"), release.folder)]
    answers.append(run_python(second, release.folder))
    assert all(answer.strip() for answer in answers)
    assert answers[0].strip().startswith(evidence.report.examples[0].tuned[:20].strip())


def test_the_card_says_where_everything_came_from(release: Release, evidence: Evidence) -> None:
    card = (release.folder / "README.md").read_text(encoding="utf-8")
    told = (evidence.report.summary, evidence.base.revision, "replayed", "licensed under `apache-2.0`")
    for part in (*told, *evidence.report.caveats):
        assert part in card, part
    assert evidence.base.source != "wheel" or "stored in 4 bits" in card
