"""`prefloop try-out` on tiny models, a real endpoint and a real judge server: answered once, scored, ranked, shown."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from openai_server import Answer, answering, question, said
from prefloop.asking import EndpointSettings, Message
from prefloop.errors import Problems, UserError
from prefloop.models import load_model, load_tokenizer
from prefloop.publish import Evidence, PublishSettings, write_release
from prefloop.publish.try_out import (
    JudgeSettings,
    TryOut,
    TryOutSettings,
    find_candidates,
    read_examples,
    try_out,
    write_page,
)
from prefloop.publish.try_out.words import caveats, headline, summary

COMMAND = str(Path(sys.executable).with_name("prefloop"))
SETTINGS = TryOutSettings(max_new_tokens=8, batch_size=4, resamples=200)


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    path = tmp_path / "mine.jsonl"
    rows = [
        {"id": f"t{n}", "prompt": f"question {n}", "answer": "yes", "good": f"Yes, {n}.", "bad": "No idea."}
        for n in range(10)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def release(tmp_path: Path, evidence: Evidence, report_html: Path) -> Path:
    return write_release(tmp_path / "run" / "release", evidence, PublishSettings(), report_html=report_html).folder


def run(examples: Path, models: list[str], folder: Path, **more: Any) -> TryOut:
    return try_out(examples, models, SETTINGS, folder, **more)


def test_a_release_its_base_and_an_endpoint_are_ranked(
    examples: Path, release: Path, base_folder: Path, tmp_path: Path
) -> None:
    with answering(lambda body: "Yes.") as server:
        found = run(examples, [str(release), str(base_folder), f"{server.url}#large"], tmp_path / "out")
    assert [(one.name, one.kind) for one in found.candidates] == [
        ("run", "release"), ("tiny", "model"), ("large", "endpoint"),
    ]  # fmt: skip
    assert found.ranking is not None
    assert (found.ranking.what, found.ranking.rows[0].name) == ("right", "large")
    assert headline(found) == "large is the best"
    assert [row.to_best.verdict for row in found.ranking.rows if row.to_best] == ["worse", "worse"]
    preferred = found.rankings[1]
    assert {row.name for row in preferred.rows} == {"run", "tiny"}
    assert [(entry.count, "likelihoods" in entry.reason) for entry in found.left_out] == [(10, True)]
    tried = {one.name: one for one in found.candidates}
    assert (tried["large"].parameters, tried["large"].sha256) == (None, None)
    assert (tried["run"].parameters or 0) > (tried["tiny"].parameters or 0) > 0


def test_what_is_answered_is_what_the_model_loaded_alone_says(
    examples: Path, release: Path, base_folder: Path, tmp_path: Path
) -> None:
    """The base is loaded once for both; an adapter on it must not leak into the base's answers."""
    from prefloop.asking.generate import GenerateSettings, generate

    found = run(examples, [str(release), str(base_folder)], tmp_path / "out")
    prompts = [each.prompt for each in found.examples]
    how = GenerateSettings(max_new_tokens=8, batch_size=4)
    for name, adapter in (("tiny", None), ("run", release)):
        model, tokenizer = load_model(base_folder, adapter=adapter), load_tokenizer(base_folder)
        said = [answer.text for answer in generate(model, tokenizer, prompts, how)]
        assert [each.answers[name].strip() for each in found.examples] == said
    assert any(each.answers["tiny"] != each.answers["run"] for each in found.examples)


def test_training_prompts_among_the_examples_are_told(
    examples: Path, release: Path, base_folder: Path, tmp_path: Path
) -> None:
    """The release was trained on `question 0` to `question 5`, and its data manifest says so by hash."""
    found = run(examples, [str(release), str(base_folder)], tmp_path / "out")
    tried = {one.name: one for one in found.candidates}
    assert tried["run"].trained_on == tuple(f"t{n}" for n in range(6))
    assert tried["tiny"].trained_on is None
    told = " ".join(caveats(found))
    assert "run was trained on 6 of these examples" in told
    assert "Nobody says which prompts tiny was trained on" in told


def test_nothing_is_answered_twice(examples: Path, release: Path, base_folder: Path, tmp_path: Path) -> None:
    with answering(lambda body: "Yes.") as server:
        models = [str(release), str(base_folder), f"{server.url}#large"]
        first = run(examples, models, tmp_path / "out")
        kept = {path.name: path.read_text() for path in (tmp_path / "out").glob("*.jsonl")}
        again = run(examples, models, tmp_path / "out")
        assert len(server.asked) == 10
    assert {path.name: path.read_text() for path in (tmp_path / "out").glob("*.jsonl")} == kept
    assert replace(again, created=first.created) == first


def test_a_killed_try_out_goes_on(examples: Path, release: Path, base_folder: Path, tmp_path: Path) -> None:
    def slow(body: dict[str, Any]) -> str:
        time.sleep(0.3)
        return "Yes."

    out, whole = tmp_path / "out", tmp_path / "whole"
    with answering(slow) as server:
        setting = tmp_path / "large.yaml"
        setting.write_text(f"base_url: {server.url}\nmodel: large\nin_flight: 1\n")
        more = ["--max-new-tokens", "8", "--batch-size", "4", "--out", str(out)]
        command = [COMMAND, "try-out", str(examples), str(setting), str(release), str(base_folder), *more]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"HF_HUB_OFFLINE": "1"}
        )
        store = out / "answers.jsonl"
        while process.poll() is None and (not store.exists() or len(store.read_text().splitlines()) < 4):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = len(store.read_text().splitlines())
        assert 4 <= before < 10
        resumed = run(examples, [str(setting), str(release), str(base_folder)], out)
        assert len(server.asked) <= 11, "only the question under way at the kill may be asked again"
        unbroken = run(examples, [str(setting), str(release), str(base_folder)], whole)
    keys = [json.loads(line)["key"] for line in store.read_text().splitlines()]
    assert len(keys) == len(set(keys)) == 30
    assert [each.answers for each in resumed.examples] == [each.answers for each in unbroken.examples]
    assert resumed.rankings == unbroken.rankings


def prefers_yes(body: dict[str, Any]) -> Answer:
    first, second = question(body).split("[Start of answer A]")[1].split("[Start of answer B]")
    ahead = ("Yes" in first) - ("Yes" in second)
    return said("[[A]]" if ahead > 0 else "[[B]]" if ahead < 0 else "[[C]]", tokens=24)


def test_a_judge_ranks_in_both_orders_within_its_budget(release: Path, base_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "bare.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"question {n}"}) + "\n" for n in range(8)))
    with answering(lambda body: "Yes.") as large, answering(prefers_yes) as judge:
        settings = EndpointSettings(
            base_url=judge.url, model="judge", input_price=1, output_price=1, budget=0.002, in_flight=1
        )
        models = [f"{large.url}#large", str(release), str(base_folder)]
        announced: list[Any] = []
        with pytest.raises(UserError, match="budget"):
            run(path, models, tmp_path / "out", by=JudgeSettings(settings), announce=announced.append)
        paid = len(judge.asked)
        assert 0 < paid < announced[0].owed
        enough = JudgeSettings(settings.model_copy(update={"budget": 10.0}))
        found = run(path, models, tmp_path / "out", by=enough)
        assert len(judge.asked) == announced[0].owed, "no verdict was paid for twice"
    assert len(large.asked) == 8
    assert found.judged is not None
    assert found.ranking is not None
    assert (found.ranking.what, found.ranking.rows[0].name) == ("judged", "large")
    assert found.ranking.rows[0].share.value == 1
    assert found.ranking.rows[0].rating is not None
    rest = {row.name: row for row in found.ranking.rows[1:]}
    assert {row.to_best.verdict for row in rest.values() if row.to_best} == {"worse"}
    assert all(row.share.value == 0.25 for row in rest.values()), "both lose to the first and tie with each other"


def test_a_judge_that_likes_the_first_answer_decides_nothing(base_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "bare.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"question {n}"}) + "\n" for n in range(4)))
    with answering(lambda body: "Yes.") as large, answering(lambda body: "[[A]]") as judge:
        by = JudgeSettings(EndpointSettings(base_url=judge.url, model="large"))
        found = run(path, [f"{large.url}#large", str(base_folder)], tmp_path / "out", by=by)
    assert headline(found) == "All level"
    told = " ".join(caveats(found))
    assert "changed its mind with the order in 4 of 4" in told
    assert "judges favour their own answers" in told


def test_with_nothing_to_score_it_says_so_and_shows_the_answers(base_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "bare.jsonl"
    path.write_text('{"prompt": "<b>question</b> 1"}\n{"prompt": "question 2"}\n')
    with answering(lambda body: "<script>alert(1)</script>") as large:
        found = run(path, [f"{large.url}#large", str(base_folder)], tmp_path / "out")
    assert found.rankings == ()
    assert "Nothing was scored" in summary(found)
    page = write_page(tmp_path / "page.html", found).read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in page
    assert "default-src 'none'" in page


def test_models_that_cannot_be_tried_are_named_together(
    base_folder: Path, adapter_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "empty").mkdir()
    texts = [
        str(base_folder),
        str(base_folder) + "/",
        str(tmp_path / "empty"),
        "nobody/nothing",
        "http://127.0.0.1:9/v1",
    ]
    with pytest.raises(Problems) as caught:
        find_candidates(texts)
    told = list(caught.value.problems)
    assert len(told) == 4
    assert any("is the same model as" in line for line in told)
    assert any("empty" in line for line in told)
    assert any("nobody/nothing" in line for line in told)
    assert any("URL#MODEL" in line for line in told)


def test_a_password_in_a_url_is_not_repeated() -> None:
    with pytest.raises(UserError) as caught:
        find_candidates(["http://me:sesame@127.0.0.1:9/v1#model"])
    assert "sesame" not in str(caught.value)


def test_an_adapter_whose_base_is_lost_says_what_to_do(release: Path, base_folder: Path) -> None:
    """A release on a local base names that by its last part only."""
    with pytest.raises(UserError, match="--base"):
        find_candidates([str(release)])
    assert find_candidates([str(release)], [str(base_folder)])[0].kind == "release"


def test_a_likelihood_preference_is_the_reports_own(examples: Path, base_folder: Path, tmp_path: Path) -> None:
    import torch

    found = run(examples, [str(base_folder)], tmp_path / "out")
    model, tokenizer = load_model(base_folder), load_tokenizer(base_folder)
    for each in read_examples(examples, SETTINGS):
        means = []
        for answer in (each.good or "", each.bad or ""):
            start = [{"role": "user", "content": each.prompt[-1].content}]
            turns = [*start, {"role": "assistant", "content": answer}]
            head = len(tokenizer.apply_chat_template(start, add_generation_prompt=True, return_dict=True)["input_ids"])
            ids = tokenizer.apply_chat_template(turns, return_tensors="pt", return_dict=True)["input_ids"]
            with torch.inference_mode():
                rows = model(ids).logits[0, head - 1 : -1].float().log_softmax(-1)
            means.append(float(rows.gather(1, ids[0, head:, None]).mean()))
        if abs(means[0] - means[1]) > 0.02:  # bfloat16's rounding depends on the batch
            marks = next(one for one in found.examples if one.id == each.id).prefers_good
            assert marks["tiny"] == float(means[0] > means[1])
    assert each.prompt == (Message("user", "question 9"),)


def test_the_command_tells_and_writes(examples: Path, release: Path, base_folder: Path, tmp_path: Path) -> None:
    with answering(lambda body: "Yes.") as server:
        command = [
            COMMAND, "try-out", str(examples), str(release), str(base_folder), f"{server.url}#large",
            "--max-new-tokens", "8", "--out", str(tmp_path / "out"),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "large has 100%" in done.stdout
        again = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    row = json.loads(again.stdout)
    assert row["rankings"][0]["rows"][0]["name"] == "large"
    assert row == json.loads((tmp_path / "out" / "try_out.json").read_text())
    assert (tmp_path / "out" / "try_out.html").exists()


PUSH = """
from huggingface_hub import HfApi
HfApi().create_repo("acme/tiny-tuned", private=True)
HfApi().upload_folder(folder_path={folder!r}, repo_id="acme/tiny-tuned")
"""


def test_a_release_is_tried_by_its_name_on_the_hub(
    local_hub: Any, examples: Path, release: Path, base_folder: Path, tmp_path: Path
) -> None:
    given = os.environ | local_hub.environment
    code = PUSH.format(folder=str(release))
    subprocess.run([sys.executable, "-P", "-c", code], env=given, cwd=tmp_path, check=True, capture_output=True)
    command = [
        COMMAND,
        "try-out",
        str(examples),
        "acme/tiny-tuned",
        str(base_folder),
        "--max-new-tokens",
        "8",
        "--json",
    ]
    done = subprocess.run(command, env=given, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    tried = {one["name"]: one for one in json.loads(done.stdout)["candidates"]}
    assert tried["acme/tiny-tuned"]["kind"] == "release on the Hub"
    assert tried["acme/tiny-tuned"]["trained_on"] == [f"t{n}" for n in range(6)]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["none.jsonl", "model"], "can't be read"),
        (["{examples}", "nobody/nothing"], "nobody/nothing"),
        (["{examples}", "{base}", "--budget", "3"], "--judge"),
        (["{examples}", "{base}", "--judge", "{base}"], "name another model"),
        (["{examples}", "{base}", "--judge", "{base}", "--budget", "3"], "runs on this machine"),
    ],
)
def test_bad_input_is_a_sentence(
    arguments: list[str], says: str, examples: Path, base_folder: Path, tmp_path: Path
) -> None:
    given = [argument.format(examples=examples, base=base_folder) for argument in arguments]
    done = subprocess.run(
        [COMMAND, "try-out", *given, "--out", str(tmp_path / "out")],
        capture_output=True, text=True, check=False, cwd=tmp_path, env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
