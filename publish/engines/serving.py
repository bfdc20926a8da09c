"""How what was published is run elsewhere: commands and code for the engines people serve models with.

Each snippet says what it was run with. What prefloop's tests run they run as it stands; vLLM with an adapter was run by
hand, Ollama not at all (docs/serving.md has with what), and a card says so.
"""

import json
import shlex
from dataclasses import dataclass
from typing import Literal

from ..evidence import Evidence
from ..settings import PublishSettings
from .packing import gguf_name
from .snippet import asked_messages, load_merged, load_released

Language = Literal["python", "bash"]

VLLM_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""What `--max-lora-rank` takes (vLLM 0.32), but for 1."""
TESTS = "prefloop's tests run it as it stands"
VLLM = "run once by hand with vLLM 0.32 on a CPU; not in prefloop's tests"
PORT = 8000
"""Where vLLM and `transformers serve` listen if nobody says otherwise; Ollama listens on 11434."""

CLIENT = """\
from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:{port}/v1", api_key="none")  # the server's address
messages = {messages}
answer = client.chat.completions.create(model={model}, messages=messages, temperature=0, max_tokens={tokens})
print(answer.choices[0].message.content)"""


@dataclass(frozen=True, slots=True)
class Snippet:
    """A way to run the release."""

    engine: str
    """What runs it, and what of the release it takes."""
    code: str
    language: Language
    tested_with: str | None
    """With what, and by whom, it was run; None where it was not run."""
    needs: str | None = None
    """What must be running or installed first."""

    @property
    def note(self) -> str:
        """Say in a sentence how far it was tried."""
        return f"({self.tested_with})" if self.tested_with else "(written by the engine's documentation; not run)"


def serving_snippets(evidence: Evidence, settings: PublishSettings) -> list[Snippet]:
    """Return every way to run what this release holds, the plainest first."""
    return [
        *_in_python(evidence, settings),
        *_vllm(evidence, settings),
        *_ollama(evidence, settings),
        Snippet(
            "OpenAI's client, to a server started as above", _client(evidence, settings), "python", TESTS,
            "pip install openai",
        ),
    ]  # fmt: skip


def served_name(evidence: Evidence, settings: PublishSettings) -> str:
    """Return what the model is called where it is served: the last part of its name."""
    return (settings.repo or str(evidence.recipe["name"])).rpartition("/")[2]


def _in_python(evidence: Evidence, settings: PublishSettings) -> list[Snippet]:
    whole = evidence.adapter.whole
    engine = "transformers" if whole else "transformers and PEFT (adapter on its base)"
    packages = "pip install torch transformers" if whole else "pip install torch transformers peft"
    found = [Snippet(engine, load_released(evidence, settings), "python", TESTS, packages)]
    if settings.merged:
        code = load_merged(evidence, settings)
        found.append(Snippet("transformers (merged)", code, "python", TESTS, "pip install torch transformers"))
    return found


def _vllm(evidence: Evidence, settings: PublishSettings) -> list[Snippet]:
    found, install = [], "pip install vllm"
    if evidence.adapter.whole:
        command = ["vllm", "serve", settings.repo or ".", "--served-model-name", served_name(evidence, settings)]
        found.append(Snippet("vLLM", shlex.join(command), "bash", None, install))
    elif (rank := _rank(evidence)) is not None:
        found.append(Snippet("vLLM (adapter on its base)", _on_base(evidence, settings, rank), "bash", VLLM, install))
    if settings.merged:
        found.append(Snippet("vLLM (merged)", _merged(evidence, settings), "bash", None, install))
    return found


def _rank(evidence: Evidence) -> int | None:
    """Return the smallest rank that vLLM can set aside for the adapter; None where it can't serve it."""
    train = evidence.adapter.settings
    if train.use_dora:  # vLLM's PEFT reader refuses DoRA
        return None
    return next((rank for rank in VLLM_RANKS if rank >= train.lora_rank), None)


def _on_base(evidence: Evidence, settings: PublishSettings, rank: int) -> str:
    name, lines = served_name(evidence, settings), list[str]()
    command = ["vllm", "serve", evidence.base_name]
    if evidence.base.source == "hub":
        command += ["--revision", evidence.base.revision]
    where = settings.repo or "."
    command += ["--enable-lora", "--lora-modules", f"{name}={where}", "--max-lora-rank", str(rank)]
    if evidence.adapter.chat_template_sha256 is not None:  # vLLM takes the base's, and this was trained with another
        file = "chat_template.jinja"
        if settings.repo:
            lines.append(shlex.join(["hf", "download", settings.repo, file, "--local-dir", name]))
            file = f"{name}/{file}"
        command += ["--chat-template", file]
    if evidence.base.source == "folder":
        lines.append(f"# {evidence.base_name} was a local folder: put your own copy's path there")
    if settings.repo is None:
        lines.append("# in the folder that holds this card")
    return "\n".join([*lines, shlex.join(command)])


def _merged(evidence: Evidence, settings: PublishSettings) -> str:
    name = served_name(evidence, settings)
    if settings.repo is None:
        serve = ["vllm", "serve", "merged", "--served-model-name", name]
        return f"# in the folder that holds this card\n{shlex.join(serve)}"
    fetch = ["hf", "download", settings.repo, "--include", "merged/*", "--local-dir", name]
    serve = ["vllm", "serve", f"{name}/merged", "--served-model-name", name]
    return f"{shlex.join(fetch)}\n{shlex.join(serve)}"


def _ollama(evidence: Evidence, settings: PublishSettings) -> list[Snippet]:
    if settings.gguf is None:
        return []
    name, file = served_name(evidence, settings), gguf_name(str(evidence.recipe["name"]), settings)
    if settings.repo is None:
        code = f"# in the folder that holds this card\n{_create(name, 'Modelfile')}"
    else:
        fetch = ["hf", "download", settings.repo, file, "Modelfile", "--local-dir", name]
        short = shlex.join(["ollama", "run", f"hf.co/{settings.repo}:{file}"])
        either = f"{shlex.join(fetch)}\n{_create(name, f'{name}/Modelfile')}"
        code = f"{either}\n# or, with a template of Ollama's choice:\n# {short}"
    return [Snippet("Ollama (GGUF)", code, "bash", None, "https://ollama.com/download")]


def _create(name: str, modelfile: str) -> str:
    return f"{shlex.join(['ollama', 'create', name, '-f', modelfile])}\n{shlex.join(['ollama', 'run', name])}"


def _client(evidence: Evidence, settings: PublishSettings) -> str:
    return CLIENT.format(
        port=PORT,
        messages=json.dumps(asked_messages(evidence), indent=4, ensure_ascii=False),
        model=json.dumps(served_name(evidence, settings)),
        tokens=evidence.report.how.settings["max_new_tokens"],
    )
