"""Ollama's Modelfile for a GGUF file.

Ollama does not run the chat template that the file carries. It compares it with the templates it knows and takes the
nearest, or none at all, and then it hands the model bare text. So the template is written out in Ollama's own language
where it can be *measured*: rendered with marked texts, it falls into pieces that stand before and after each role's
words, and these pieces, put together again, must give every prompt's tokens exactly. A template that is not of that
kind gets no translation, and the file says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...collect import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Turns = Sequence[tuple[str, str]]
"""(role, words) in order."""
MARKS = {"system": "Amber17Systole", "user": "Birch23Usance", "assistant": "Cedar31Assent"}
"""Words that no template holds."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """What a chat template writes around the words of each role."""

    opening: str
    """Before everything where no system message is given, a default one included."""
    around: dict[str, tuple[str, str]]
    """Before and after the words, by role."""
    answer: str
    """What opens the model's turn."""

    def render(self, turns: Turns) -> str:
        """Return the text of the turns, the model's turn opened, as the Ollama template gives it."""
        head = "" if turns and turns[0][0] == "system" else self.opening
        return head + "".join(words.join(self.around[role]) for role, words in turns) + self.answer

    def template(self) -> str:
        """Return the same as a template for Ollama (Go's text/template)."""
        system = "{{ .System }}".join(self.around["system"])
        user = "{{ .Content }}".join(self.around["user"])
        assistant = "{{ .Content }}".join(self.around["assistant"])
        return (
            f"{{{{ if .System }}}}{system}{{{{ else }}}}{self.opening}{{{{ end }}}}{{{{ range .Messages }}}}"
            f'{{{{ if eq .Role "user" }}}}{user}{{{{ else if eq .Role "assistant" }}}}{assistant}{{{{ end }}}}'
            f"{{{{ end }}}}{self.answer}"
        )


def take_apart(
    tokenizer: "PreTrainedTokenizerBase", prompts: Sequence[Sequence[Message]], *, adds_bos: bool
) -> Pieces | None:
    """Find the pieces of the tokenizer's chat template, or None where it is of another kind.

    Args:
        tokenizer: Whose template.
        prompts: Real prompts: put together from the pieces they must give the very tokens that the template gives.
        adds_bos: Whether the reader of the file puts a BOS token before the text; the pieces then begin without it.
    """
    pieces = _pieces(tokenizer)
    if pieces is None or any("{{" in text or '"""' in text for text in _texts(pieces)):
        return None
    talks: list[Turns] = [[(message.role, message.content) for message in prompt] for prompt in prompts]
    if not all(_agree(tokenizer, pieces, turns) for turns in [*talks, *_marked()]):
        return None
    return _without_bos(pieces, str(tokenizer.bos_token)) if adds_bos else pieces


def modelfile(file: str, pieces: Pieces | None, stops: Sequence[str]) -> str:
    """Return the Modelfile's text."""
    told = [
        "# Written by prefloop; it was not run in Ollama.",
        f"# ollama create NAME -f Modelfile    (then `ollama show --template NAME`)\nFROM ./{file}",
    ]
    if pieces is None:
        told.append(
            "# This model's chat template could not be put into Ollama's language faithfully. Without a TEMPLATE\n"
            "# Ollama takes the nearest of its own, or none: compare `ollama show --template` with the chat template."
        )
    else:
        told.append(f'TEMPLATE """{pieces.template()}"""')
    return "\n\n".join([*told, "\n".join(f'PARAMETER stop "{stop}"' for stop in stops)]) + "\n"


def stop_texts(tokenizer: "PreTrainedTokenizerBase", end_ids: Sequence[int]) -> list[str]:
    """Return the texts of the tokens that end an answer, the tokenizer's own first."""
    ids = [token for token in (tokenizer.eos_token_id, *end_ids) if token is not None]
    return [str(text) for text in dict.fromkeys(tokenizer.convert_ids_to_tokens(ids)) if text and '"' not in text]


def _pieces(tokenizer: "PreTrainedTokenizerBase") -> Pieces | None:
    system, user, assistant = MARKS["system"], MARKS["user"], MARKS["assistant"]

    def render(*roles: str, add_generation_prompt: bool = False) -> str:
        turns = [{"role": role, "content": MARKS[role]} for role in roles]
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=add_generation_prompt)
        return str(text)

    from jinja2 import TemplateError

    try:
        one, two = render("user"), render("user", "assistant")
        three, told = render("user", "assistant", "user"), render("system", "user")
        opened = render("user", add_generation_prompt=True)
    except (TemplateError, ValueError):  # a template that refuses a role
        return None
    if not (two.startswith(one) and three.startswith(two) and opened.startswith(one)):
        return None
    after_one, after_two = two[len(one) :], three[len(two) :]
    if after_one.count(assistant) != 1 or after_two.count(user) != 1 or told.count(system) != 1:
        return None
    said = after_two.partition(user)
    if not (one.endswith(after_two) and told.endswith(after_two)):
        return None
    before, _, after = told.removesuffix(after_two).partition(system)
    around = {
        "system": (before, after),
        "user": (said[0], said[2]),
        "assistant": (after_one.partition(assistant)[0], after_one.partition(assistant)[2]),
    }
    return Pieces(one.removesuffix(after_two), around, opened[len(one) :])


def _marked() -> list[Turns]:
    talk = [("user", "Is it open?"), ("assistant", "Yes, until six."), ("user", "And on Sunday?")]
    return [talk, [("system", "Answer in one sentence."), *talk]]


def _agree(tokenizer: "PreTrainedTokenizerBase", pieces: Pieces, turns: Turns) -> bool:
    rows = [{"role": role, "content": words} for role, words in turns]
    expected = list(tokenizer.apply_chat_template(rows, add_generation_prompt=True, return_dict=True)["input_ids"])
    text = pieces.render(turns)
    return expected == list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _without_bos(pieces: Pieces, bos: str) -> Pieces:
    before, after = pieces.around["system"]
    around = pieces.around | {"system": (before.removeprefix(bos), after)}
    return Pieces(pieces.opening.removeprefix(bos), around, pieces.answer)


def _texts(pieces: Pieces) -> list[str]:
    return [pieces.opening, pieces.answer, *(text for both in pieces.around.values() for text in both)]
