"""`prefloop init`: five questions, or as many flags, and a project that runs."""

import shlex
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..console import result, say
from ..errors import UserError

if TYPE_CHECKING:
    from ..scaffold import Answers


SENTENCE = 10
"""Letters that a recipe's task has at least."""


class Asked(StrEnum):
    """What people are asked about an item."""

    pairwise = "pairwise"
    graded = "graded"
    ranking = "ranking"


def init(
    folder: Annotated[Path, typer.Argument(help="The project's folder; made if need be.")] = Path("."),
    task: Annotated[str | None, typer.Option(help="The narrow job, in a sentence.")] = None,
    ask: Annotated[
        Asked | None, typer.Option(help="What people are asked; graded: also how much better.", show_default="pairwise")
    ] = None,
    base_model: Annotated[str | None, typer.Option(help="A Hub id or a folder.", show_default="a small one")] = None,
    votes: Annotated[int | None, typer.Option(help="Votes per item.", show_default="3", min=1)] = None,
    items: Annotated[
        Path | None, typer.Option(help="Your items, JSON lines.", show_default="three examples to replace")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; take the defaults.")] = False,
) -> None:
    """Start a project for your own task: a recipe, guidelines to fill in, and example items.

    Asks five questions, less those that flags answer; asks none without a terminal. Overwrites nothing.
    """
    from ..scaffold import refuse_to_overwrite, scaffold

    refuse_to_overwrite(folder)
    given = {"task": task, "kind": ask and ask.value, "base_model": base_model, "votes": votes, "items": items}
    answers = _answers(given, asking=not yes and sys.stdin.isatty())
    for path in scaffold(folder, answers):
        result(str(path))
    _next_steps(folder, examples=answers.items is None)


def _answers(given: dict[str, Any], *, asking: bool) -> "Answers":
    from ..scaffold import KINDS, Answers

    if asking:
        given = _asked(given, KINDS)
    if not given["task"]:
        raise UserError("what is the task? Say it in a sentence: --task 'Answers …'")
    return Answers(**{name: value for name, value in given.items() if value is not None})


def _asked(given: dict[str, Any], kinds: dict[Any, str]) -> dict[str, Any]:
    """Ask what no flag has answered."""
    from ..scaffold import Answers

    default, answers = Answers(task=""), dict(given)
    if answers["task"] is None:
        question = "1. The task, in a sentence (what the model does, and for whom)"
        answers["task"] = _ask(question, None, lambda text: len(text) >= SENTENCE, "a whole sentence, please")
    if answers["kind"] is None:
        say("2. What are people asked?")
        for name, meaning in kinds.items():
            say(f"   {name:9} {meaning}")
        answers["kind"] = _ask("  ", default.kind, kinds.__contains__, f"one of {', '.join(kinds)}, please")
    if answers["base_model"] is None:
        answers["base_model"] = _ask("3. The base model, a Hub id or a folder", default.base_model, bool, "")
    if answers["votes"] is None:
        text = _ask("4. Votes per item", str(default.votes), _is_count, "a number, 1 or more, please")
        answers["votes"] = int(text)
    if answers["items"] is None:
        question = "5. Your items, a file of JSON lines; empty for three examples"
        own = _ask(question, "", lambda text: not text or Path(text).expanduser().is_file(), "there is no such file")
        answers["items"] = Path(own).expanduser() if own else None
    return answers


def _ask(question: str, default: str | None, fits: Callable[[str], bool], otherwise: str) -> str:
    while not fits(answer := str(typer.prompt(question, default=default, show_default=bool(default))).strip()):
        say(f"   {otherwise}")
    return answer


def _is_count(text: str) -> bool:
    return text.isdecimal() and int(text) > 0


def _next_steps(folder: Path, *, examples: bool) -> None:
    recipe = shlex.quote(str(folder / "recipe.yaml"))
    say("\nNext:")
    steps = [
        ("prefloop server start", "a real Argilla on this machine; or set ARGILLA_API_URL and ARGILLA_API_KEY"),
        (f"prefloop collect push {recipe}", "a quarter of the prompts is sealed first"),
        (f"prefloop collect invite {recipe} ann bo", "accounts, with passwords shown this once"),
        (f"prefloop collect pull {recipe}", "as often as you like"),
        (f"prefloop train {recipe} --dry-run", "then without --dry-run, then evaluate, then publish"),
    ]
    say(f"  fill in what stands in angle brackets in {folder / 'guidelines.md'}")
    if examples:
        say(f"  replace the examples in {folder / 'items.jsonl'} by your items (`prefloop collect import` makes them)")
    width = max(len(command) for command, _ in steps)
    for command, meaning in steps:
        say(f"  {command:{width}}  # {meaning}")
