"""What a newcomer runs: `prefloop demo`, killed half-way, run again to the end, and looked at."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prefloop.collect import read_pairs
from prefloop.evaluate import read_report
from prefloop.models import small_model_folder
from prefloop.publish import read_release
from prefloop.runs import read_lines

PREFLOOP = Path(sys.executable).with_name("prefloop")


def demo(folder, **more):
    command = [PREFLOOP, "demo", "--run", folder, "--set", "train.save_every=5"]
    # The longest test by far, so it has every core; other tests run beside it, so its threads wait without spinning.
    env = os.environ | {"OMP_NUM_THREADS": str(os.cpu_count()), "OMP_WAIT_POLICY": "PASSIVE"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, **more)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The demo, killed with -9 while it trains, then run again: its folder and what the second run said."""
    folder = tmp_path_factory.mktemp("demo") / "run"
    first = demo(folder, start_new_session=True)
    metrics = folder / "train" / "metrics.jsonl"
    while first.poll() is None and not (metrics.exists() and len(metrics.read_text().splitlines()) > 6):
        time.sleep(0.5)
    assert first.poll() is None, first.stdout.read()
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    second = demo(folder)
    said, _ = second.communicate()
    assert second.returncode == 0, said
    return folder, said


def test_it_goes_on_where_it_was_killed_and_names_the_report(finished):
    folder, said = finished
    assert "done earlier: 240 items pushed" in said
    assert re.search(r"resuming from step \d+", said), said
    assert str(folder / "report.html") in said.replace("\n", "")
    steps = [row["step"] for row in read_lines(folder / "train" / "metrics.jsonl")]
    assert steps == sorted(set(steps))


def test_every_recorded_vote_came_back(finished):
    folder, _ = finished
    summary = json.loads((folder / "collect" / "summary.json").read_text())
    recorded = read_lines(Path(__file__).parents[2] / "recipes" / "demo" / "votes.jsonl")
    votes = read_lines(folder / "collect" / "votes.jsonl")
    told = {(vote["item_id"], vote["annotator"]): (vote["choice"], vote["edit"]) for vote in recorded}
    assert {(vote["item_id"], vote["annotator"]): (vote["choice"], vote["edit"]) for vote in votes} == told
    assert sum(summary["outcomes"].values()) == summary["items"]


def test_the_tuned_model_is_better_than_its_base_and_than_a_length_rule(finished):
    """One seed; benchmarks/seeds.py does the same for others, which takes too long for every change."""
    folder, _ = finished
    report = read_report(folder / "report.json")
    assert report.verdict == "better"
    assert report.preference.normalised.difference.low > 0
    assert report.preference.over_rule.low > 0
    assert report.check.criteria[-1].rate.difference.low > 0
    assert report.sealed.openings == 1


def test_the_report_tells_style_from_substance_and_what_the_training_saw(finished):
    folder, _ = finished
    report = read_report(folder / "report.json")
    assert report.style.judge == "check"
    assert report.style.prompts + sum(entry.count for entry in report.style.left_out) == report.sealed.prompts
    assert {one.name for one in report.contamination.benchmarks} == {"sealed", "general.jsonl"}
    assert report.contamination.overlapping == 0
    page = (folder / "report.html").read_text()
    assert "Style or substance?" in page
    assert "None of the" in page


def test_the_gate_has_an_exit_code(finished):
    folder, _ = finished
    recipe = Path(__file__).parents[2] / "recipes" / "demo" / "recipe.yaml"
    before = read_report(folder / "report.json")

    def judged(rules):
        command = [PREFLOOP, "gate", recipe, "--run", folder, "--set", "train.save_every=5"]
        done = subprocess.run([*command, "--set", f"evaluate.gate={rules}"], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    code, said = judged("{superior: [preference, check], max_sealed_openings: 1, no_contamination: true}")
    assert code == 0, said
    assert "shown to be better" in said
    code, said = judged("{superior: [preference], non_inferior: {ifeval: 2}}")
    assert (code, "not measured" in said) == (1, True), said
    assert "not measured" in (folder / "report.html").read_text()
    assert read_report(folder / "report.json") == before


def test_the_release_is_whole_and_the_page_needs_nothing_else(finished):
    folder, _ = finished
    release = read_release(folder / "release")
    assert {"README.md", "adapter_model.safetensors", "report.json", "report.html"} <= release.files.keys()
    card = (folder / "release" / "README.md").read_text()
    assert str(folder.parent) not in card
    page = (folder / "report.html").read_text()
    assert not re.search(r"""(src|href)=["']https?://""", page)
    assert "<svg" in page


SCORE = """
import json, sys
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base, adapter, asked = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
tokenizer = AutoTokenizer.from_pretrained(adapter)
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16), adapter).eval()
for turns in asked:
    ids = tokenizer.apply_chat_template(turns, return_tensors="pt", return_dict=True)["input_ids"]
    with torch.inference_mode():
        rows = model(ids).logits[0, :-1].float().log_softmax(-1)
    print(json.dumps([float(row[token]) for row, token in zip(rows, ids[0, 1:])]))
assert "prefloop" not in sys.modules
"""


def test_from_the_hub_it_is_the_same_model_and_leads_back_to_every_vote(finished, local_hub, tmp_path):
    folder, _ = finished
    run = tmp_path / "run"
    shutil.copytree(folder, run, ignore=shutil.ignore_patterns("argilla"))

    def said(*words):
        command, env = [PREFLOOP, *words], os.environ | local_hub.environment
        done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert local_hub.token not in done.stdout + done.stderr
        return done.stdout

    said("publish", run, "--repo", "acme/replies", "--data-repo", "acme/replies-votes")

    traced = json.loads(said("trace", "acme/replies", "--json"))
    assert traced["marks"]["wrong"] == 0
    assert traced["marks"]["verified"] > 20
    pair = read_pairs(run / "collect" / "pairs.jsonl")[0]
    one = said("trace", "acme/replies", "--pair", pair.id)
    assert all(vote in one for vote in pair.vote_ids)
    found = json.loads(said("search", "reply to a customer of a shop", "--author", "acme", "--json"))
    assert [hit["name"] for hit in found["hits"]] == ["acme/replies"]

    prompt = [{"role": message.role, "content": message.content} for message in pair.prompt]
    answers = [{"role": "assistant", "content": text} for text in (pair.chosen, pair.rejected)]
    asked, base = json.dumps([[*prompt, answer] for answer in answers]), small_model_folder()

    def scores(adapter):
        command, env = [sys.executable, "-P", "-c", SCORE, base, adapter, asked], os.environ | local_hub.environment
        done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    assert scores("acme/replies") == scores(run / "train" / "adapter")
