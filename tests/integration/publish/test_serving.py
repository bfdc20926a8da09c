"""The snippets of a release run as they stand, where their engine runs here; the others keep to the engine's flags."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefloop.publish import Evidence, PublishSettings, write_release
from prefloop.publish.engines.serving import VLLM_RANKS, Snippet, serving_snippets
from prefloop.train import TrainSettings

LOGP = """
import json as _json
_turns = [{"role": "user", "content": "question 3"}, {"role": "assistant", "content": "an answer"}]
_ids = tokenizer.apply_chat_template(_turns, return_tensors="pt", return_dict=True)["input_ids"]
with torch.inference_mode():
    _rows = model(_ids).logits[0, :-1].log_softmax(-1)
print("LOGP", _json.dumps([float(row[token]) for row, token in zip(_rows, _ids[0, 1:])]))
"""
PUSH = """
from huggingface_hub import HfApi
HfApi().create_repo("acme/tiny-tuned", private=True)
HfApi().upload_folder(folder_path={folder!r}, repo_id="acme/tiny-tuned")
"""
ADAPTER, MERGED = "transformers and PEFT (adapter on its base)", "transformers (merged)"
FLAGS = {"--revision", "--enable-lora", "--lora-modules", "--max-lora-rank", "--chat-template", "--served-model-name"}
"""Of `vllm serve --help=all`, vLLM 0.32."""


def snippets(evidence: Evidence, **settings: Any) -> dict[str, Snippet]:
    return {snippet.engine: snippet for snippet in serving_snippets(evidence, PublishSettings(**settings))}


def code_of(evidence: Evidence, engine: str, **settings: Any) -> str:
    return snippets(evidence, **settings)[engine].code


def run_python(code: str, folder: Path, **environment: str) -> str:
    """Run code in a process of its own that knows nothing of prefloop."""
    command = [sys.executable, "-P", "-c", code]
    given = os.environ | {"HF_HUB_OFFLINE": "1"} | environment
    done = subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def logp(output: str) -> list[float]:
    found: list[float] = json.loads(output.split("LOGP ")[1])
    return found


@pytest.fixture
def folder(tmp_path: Path, evidence: Evidence, report_html: Path) -> Path:
    return write_release(
        tmp_path / "run" / "release", evidence, PublishSettings(merged=True), report_html=report_html
    ).folder


def test_python_snippets_say_exactly_what_the_runs_own_adapter_says(
    folder: Path, evidence: Evidence, base_folder: Path, local_hub: Any, tmp_path: Path
) -> None:
    """From the release's folder, and by its name on the Hub."""
    # In a process of its own: the client reads when it is imported that it must do without xet.
    run_python(PUSH.format(folder=str(folder)), tmp_path, **local_hub.environment)
    here = 'base = "tiny"', f"base = {str(base_folder)!r}"  # the card tells its reader to put in a path of their own

    def said(engine: str, *, by_name: bool, adapter: Path = folder) -> list[float]:
        code = code_of(evidence, engine, repo="acme/tiny-tuned" if by_name else None, merged=True)
        assert ('"acme/tiny-tuned"' in code) == by_name
        assert (here[0] in code) == (engine == ADAPTER)
        at, environment = (tmp_path, local_hub.environment) if by_name else (adapter, {})
        return logp(run_python(code.replace(*here) + LOGP, at, **environment))

    own = said(ADAPTER, by_name=False, adapter=evidence.adapter.path)
    assert said(ADAPTER, by_name=False) == own
    assert said(ADAPTER, by_name=True) == own
    merged = said(MERGED, by_name=False)
    assert merged == pytest.approx(own, abs=0.1)
    assert said(MERGED, by_name=True) == merged


@pytest.fixture
def served(folder: Path, tmp_path: Path) -> Iterator[str]:
    """`transformers serve`, the OpenAI-compatible server that runs here."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = shutil.which("transformers", path=str(Path(sys.executable).parent))
    assert command, "transformers[serving] is part of the development environment"
    with (tmp_path / "serve.log").open("w") as log:
        process = subprocess.Popen(
            [command, "serve", "--host", "127.0.0.1", "--port", str(port)],
            stdout=log, stderr=subprocess.STDOUT, env=os.environ | {"HF_HUB_OFFLINE": "1"},
        )  # fmt: skip
        try:
            for _ in range(600):
                try:
                    httpx.get(f"http://127.0.0.1:{port}/health", timeout=2)
                    break
                except httpx.TransportError:
                    assert process.poll() is None, (tmp_path / "serve.log").read_text()[-2000:]
                    time.sleep(0.5)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            process.wait(30)


def test_the_openai_call_is_answered_as_transformers_answers(folder: Path, evidence: Evidence, served: str) -> None:
    code = code_of(evidence, "OpenAI's client, to a server started as above", merged=True)
    assert '"http://127.0.0.1:8000/v1"' in code
    assert 'model="tiny-run"' in code
    code = code.replace("http://127.0.0.1:8000/v1", served).replace('"tiny-run"', repr(str(folder / "merged")))
    said = run_python(code, folder).strip()
    plain = run_python(code_of(evidence, MERGED, merged=True), folder).strip()
    assert said == plain


def commands(code: str) -> list[list[str]]:
    return [shlex.split(line) for line in code.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize(("rank", "wanted"), [(4, "8"), (16, "16"), (17, "32"), (512, "512")])
def test_vllm_sets_aside_the_smallest_rank_it_knows(evidence: Evidence, rank: int, wanted: str) -> None:
    trained = replace(evidence.adapter, settings=TrainSettings(lora_rank=rank))
    code = code_of(replace(evidence, adapter=trained), "vLLM (adapter on its base)", repo="acme/tiny-tuned")
    (command,) = commands(code)
    assert command[:3] == ["vllm", "serve", "tiny"]
    assert command[command.index("--max-lora-rank") + 1] == wanted
    assert command[command.index("--lora-modules") + 1] == "tiny-tuned=acme/tiny-tuned"
    assert int(wanted) in VLLM_RANKS
    assert {word for word in command if word.startswith("--")} <= FLAGS


def test_what_vllm_cannot_serve_as_an_adapter_is_not_offered(evidence: Evidence) -> None:
    for settings in (TrainSettings(use_dora=True), TrainSettings(lora_rank=1024)):
        found = snippets(replace(evidence, adapter=replace(evidence.adapter, settings=settings)), merged=True)
        assert "vLLM (adapter on its base)" not in found
        assert "vLLM (merged)" in found


def test_a_base_on_the_hub_is_pinned_and_another_template_named(evidence: Evidence) -> None:
    base = replace(evidence.base, name="org/base", source="hub", revision="a" * 40)
    adapter = replace(evidence.adapter, chat_template_sha256="b" * 64)
    code = code_of(replace(evidence, base=base, adapter=adapter), "vLLM (adapter on its base)", repo="acme/t")
    fetch, serve = commands(code)
    assert fetch == ["hf", "download", "acme/t", "chat_template.jinja", "--local-dir", "t"]
    assert serve[2:5] == ["org/base", "--revision", "a" * 40]
    assert serve[serve.index("--chat-template") + 1] == "t/chat_template.jinja"


def test_ollama_is_offered_with_a_gguf_file_only(evidence: Evidence) -> None:
    assert "Ollama (GGUF)" not in snippets(evidence, repo="acme/t")
    code = code_of(evidence, "Ollama (GGUF)", repo="acme/t", gguf="q8_0")
    assert commands(code) == [
        ["hf", "download", "acme/t", "tiny-run-q8_0.gguf", "Modelfile", "--local-dir", "t"],
        ["ollama", "create", "t", "-f", "t/Modelfile"],
        ["ollama", "run", "t"],
    ]
    assert "ollama run hf.co/acme/t:tiny-run-q8_0.gguf" in code


def test_what_was_not_run_says_so(evidence: Evidence) -> None:
    found = snippets(evidence, repo="acme/t", merged=True, gguf="q8_0")
    assert found["Ollama (GGUF)"].tested_with is None
    assert "not run" in found["Ollama (GGUF)"].note
    assert "not run" in found["vLLM (merged)"].note
    assert "by hand" in found["vLLM (adapter on its base)"].note
    assert "tests" in found[ADAPTER].note
    assert all(re.search(r"[\w)]$", snippet.note) for snippet in found.values())
