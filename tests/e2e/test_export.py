"""A trained model given away: merged, written, and read back by processes that know nothing of prefloop."""

import itertools
import json
import math
import os
import pty
import select
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from prefloop.collect import seal
from prefloop.collect.files import write_rows
from prefloop.collect.sampling.generate import GenerateSettings
from prefloop.errors import Problems, UserError
from prefloop.loop.chatting import open_talk
from prefloop.loop.giving import export_run_model
from prefloop.models import load_tokenizer, resolve_model
from prefloop.publish.engines.export import read_export
from prefloop.publish.engines.gguf import convert, find_converter
from prefloop.recipe import check_recipe, recipe_run
from prefloop.train import TrainSettings, merge_adapter, train_dpo
from prefloop.train.export.deltas import distance, token_logps
from prefloop.train.export.merge import building, weights_size
from prefloop.train.export.reloading import expect, reload
from prefloop.train.rows import tokenise

pytestmark = [
    # peft 0.21 and trl 1.16 still ask transformers 5.23 for names that it will drop in version 6.
    pytest.mark.filterwarnings("ignore:.*will be removed in v6:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.jit"),
    pytest.mark.filterwarnings("ignore::UserWarning:bitsandbytes"),
    # A child process started while torch's threads run; nothing of ours goes on in it but exec.
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

PREFLOOP = Path(sys.executable).with_name("prefloop")
GREEDY = GenerateSettings(max_new_tokens=12)


@pytest.fixture(scope="module")
def pairs():
    from prefloop.collect import Message, PreferencePair

    def pair(number):
        prompt = (Message("user", f"Where is parcel {number}?"),)
        answers = f"Parcel {number} arrives today.", "No idea" + "!" * (number % 4)
        return PreferencePair(prompt, *answers, 1.0, f"i{number}", ("v",))

    return [pair(number) for number in range(10)]


@pytest.fixture(scope="module")
def run(tiny_model, pairs, tmp_path_factory):
    """A run that has come as far as an adapter."""
    folder = tmp_path_factory.mktemp("run") / "parcels"
    train = TrainSettings(
        base_model=str(tiny_model.path), learning_rate=5e-3, batch_size=4, max_length=256, lora_rank=4, lora_alpha=8
    )
    tree = {
        "name": "parcels",
        "task": "Say where a parcel is.",
        "collect": {"items": "items.jsonl", "guidelines": "guidelines.md", "queue": "parcels"},
        "train": train.model_dump(mode="json"),
    }
    recipe_run(check_recipe(tree, name="recipe", folder=folder), folder)
    seal([], 0.3, 0, folder / "collect" / "sealed.json")
    write_rows(folder / "collect" / "pairs.jsonl", pairs)
    train_dpo(pairs, train, base=tiny_model, folder=folder / "train")
    return folder


@pytest.fixture(scope="module")
def exported(run):
    return export_run_model(run)


def adapter_of(run):
    from prefloop.train import read_adapter

    return read_adapter(run / "train" / "adapter")


def test_an_export_is_whole_and_says_what_was_measured(exported, run, tiny_model, pairs):
    record = exported.record
    assert read_export(exported.folder).record == record
    assert exported.folder == run / "export" / "safetensors"
    assert record["into"] == "original"
    assert record["base"]["sha256"] == tiny_model.sha256
    assert set(record["compared_on"]) <= {pair.id for pair in pairs}
    # The rounding is far below what the training did.
    assert exported.delta.mean < record["moved_by_training"]["mean"] / 3
    assert set(record["files"]) == {path.name for path in exported.folder.iterdir()} - {"export.json"}
    assert not list(exported.folder.parent.glob(".*"))
    (exported.folder / "notes.txt").write_text("hello")
    with pytest.raises(UserError, match="not empty"):
        export_run_model(run)
    (exported.folder / "notes.txt").unlink()


def test_what_reads_otherwise_is_named(exported, pairs):
    tokenizer = load_tokenizer(exported.folder)
    tokens = [tokenise(pair, tokenizer) for pair in pairs[:2]]
    good = expect(tokenizer, pairs[:2], tokens, [[0.0] * 3])
    prompts = [[*good.said["prompts"][0], 5], good.said["prompts"][1]]
    with pytest.raises(UserError, match=r"eos_token_id is 2, not 7; 1 of 2 prompts have other tokens"):
        reload(exported.folder, replace(good, said=good.said | {"eos_token_id": 7, "prompts": prompts}))


def test_four_bits_have_two_bases_and_both_are_measured(run, tiny_model, pairs, tmp_path):
    pytest.importorskip("bitsandbytes", reason="the qlora extra is not installed")
    from prefloop.models import load_model
    from prefloop.train.policy import load_policy

    adapter = adapter_of(run)
    quantised = replace(adapter, settings=adapter.settings.model_copy(update={"quantization": "nf4"}))
    merged = merge_adapter(quantised, tiny_model, tmp_path / "merged", pairs)
    told = json.loads((merged.path / "merge.json").read_text())
    assert told["into"] == "dequantised"
    assert told["delta"] == told["tried"]["dequantised"]
    assert told["tried"]["original"]["mean"] > 3 * told["delta"]["mean"]
    # Dequantised weights are the very ones that 4-bit training multiplies with.
    tokens = [tokenise(pair, load_tokenizer(tiny_model.path)) for pair in pairs[:3]]
    four_bits = load_policy(tiny_model, quantised.settings, 256)
    unpacked = load_policy(tiny_model, quantised.settings, 256).dequantize()
    plain = load_model(tiny_model.path)
    apart = distance(token_logps(four_bits, tokens), token_logps(unpacked, tokens))
    assert apart.mean < distance(token_logps(plain, tokens), token_logps(unpacked, tokens)).mean / 3


def test_a_gguf_file_says_the_same_and_names_its_stop(run, tmp_path):
    pytest.importorskip("sentencepiece", reason="the gguf extra is not installed")
    done = export_run_model(run, quantisation="q8_0", out=tmp_path / "gguf")
    assert {path.name for path in done.folder.iterdir()} == {"export.json", "Modelfile", "parcels-q8_0.gguf"}
    assert done.delta.mean < done.record["gguf"]["largest_delta_allowed"]
    assert done.record["modelfile"] == {
        "template": "measured",
        "prompts_with_equal_tokens": 6,
        "reader_adds_bos": False,
        "stop": ["<|im_end|>"],
        "run_in_ollama": False,
    }
    text = (done.folder / "Modelfile").read_text()
    assert "FROM ./parcels-q8_0.gguf" in text
    assert 'PARAMETER stop "<|im_end|>"' in text
    # It can be talked with, and is what its name says.
    talk = open_talk(done.folder, GREEDY)
    assert "parcels-q8_0.gguf" in talk.speaker.name
    assert "".join(talk.say("Where is parcel 3?"))


def test_what_the_converter_cannot_do_is_said_in_its_words(run, tiny_model, tmp_path):
    pytest.importorskip("sentencepiece", reason="the gguf extra is not installed")
    script = tmp_path / "convert_hf_to_gguf.py"
    script.write_text("import sys\nsys.exit('Model LlamaForCausalLM is not supported')\n")
    assert find_converter(tmp_path) == find_converter(script) == script
    with pytest.raises(UserError, match="can't convert this model; it said: Model LlamaForCausalLM is not supported"):
        convert(tiny_model.path, tmp_path / "out.gguf", "f16", script, name="parcels")
    with pytest.raises(UserError, match="is not there; --converter takes a llama"):
        export_run_model(run, quantisation="f16", out=tmp_path / "out", converter=tmp_path / "none")
    with pytest.raises(FileNotFoundError), building(tmp_path / "out") as partial:
        (partial / "model.safetensors").rename(partial / "missing" / "model.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == [script.name]


def test_another_base_a_full_disk_and_sealed_pairs_are_refused(run, exported, pairs, tmp_path, monkeypatch):
    adapter = adapter_of(run)
    with pytest.raises(UserError, match="was trained on"):
        merge_adapter(adapter, resolve_model(str(exported.folder)), tmp_path / "out")
    write_rows(tmp_path / "pairs.jsonl", [replace(pair, sealed=True) for pair in pairs])
    with pytest.raises(Problems, match="must not be trained on"):
        export_run_model(run, out=tmp_path / "out", pairs=tmp_path / "pairs.jsonl")
    space = weights_size(resolve_model(adapter.base_name))
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": space}))
    with pytest.raises(UserError, match="needs about"):
        export_run_model(run, out=tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pairs.jsonl"]


def test_a_model_that_says_no_number_is_infinitely_far():
    assert distance([[-1.0, -2.0]], [[-1.5, math.nan]]).mean == math.inf
    found = distance([[-1.0, -2.0], [-3.0]], [[-1.5, -2.5], [-3.0]])
    assert (found.mean, found.worst, found.tokens) == (pytest.approx(1 / 3, abs=1e-6), 0.5, 3)


def test_a_talk_remembers_forgets_and_is_the_model_that_was_trained(run, tiny_model):
    talk = open_talk(run, GREEDY)
    assert "adapter parcels" in talk.speaker.name
    first = "".join(talk.say("Where is parcel 3?"))
    assert [turn.role for turn in talk.turns] == ["user", "assistant"]
    talk.reset()
    assert "".join(talk.say("Where is parcel 3?")) == first
    talk.reset()
    before, after = talk.compare("Where is parcel 3?")
    assert (after, after == before) == (first.strip(), False)
    base = open_talk(run, GREEDY, base=True)
    plain = open_talk(tiny_model.path, GREEDY)
    assert "".join(base.say("Where is parcel 3?")) == "".join(plain.say("Where is parcel 3?"))
    with pytest.raises(UserError, match="no base to compare with"):
        plain.compare("?")
    with pytest.raises(UserError, match="leaves no room"):
        "".join(talk.say("word " * 600))
    assert len(talk.turns) == 2  # as before the words that did not fit


def test_an_answer_left_half_way_stops_the_model_and_is_remembered(tiny_model):
    talk = open_talk(tiny_model.path, GenerateSettings(max_new_tokens=400, temperature=1.0))
    answer = talk.say("Tell me everything.")
    start = list(itertools.islice(answer, 3))
    answer.close()
    said = talk.turns[-1].content
    assert said.startswith("".join(start).strip())
    tokens = load_tokenizer(tiny_model.path)(said)["input_ids"]
    assert len(tokens) < 200


def test_in_a_pipe_answers_alone_go_to_the_output(exported):
    done = subprocess.run(
        [PREFLOOP, "chat", str(exported.folder), "--temperature", "0", "--max-new-tokens", "8"],
        input="Where is parcel 3?\n/reset\nWhere is parcel 3?\n", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    half = len(done.stdout) // 2
    assert done.stdout[:half] == done.stdout[half:] != ""
    assert "parcels (safetensors, from " in done.stderr


def test_in_a_terminal_ctrl_c_stops_the_answer_and_ctrl_d_the_program(run):
    terminal, end = pty.openpty()
    command = [PREFLOOP, "chat", str(run), "--max-new-tokens", "150", "--temperature", "1"]
    process = subprocess.Popen(
        command, stdin=end, stdout=end, stderr=end, env=os.environ | {"TERM": "dumb"}, start_new_session=True
    )
    os.close(end)
    said = b""

    def more():
        ready, _, _ = select.select([terminal], [], [], 120)
        assert ready, f"nothing more was said after {said.decode(errors='replace')!r}"
        return os.read(terminal, 4096)

    def wait_for(mark, since=0):
        nonlocal said
        while mark not in said[since:]:
            said += more()

    wait_for(b"> ")
    os.write(terminal, b"Tell me everything.\n")
    wait_for(b"everything.\r\n")
    start = len(said)
    said += more()  # at the first sign of an answer, so that Ctrl-C finds it unfinished
    process.send_signal(signal.SIGINT)

    def answered(mark, since):
        """The next prompt must be there: what is typed before it may be lost while the terminal is set up."""
        wait_for(mark, since)
        wait_for(b"> ", said.index(mark, since))

    answered(b"(stopped)", start)
    for words, reply in ((b"/compare", b"tuned"), (b"/dance", b"is no command"), (b"/reset", b"forgotten")):
        start = len(said)
        os.write(terminal, words + b"\n")
        answered(reply, start + len(words))
    os.write(terminal, b"\x04")
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            said += more()
        except OSError:
            break
    assert process.wait(60) == 0, said.decode(errors="replace")
