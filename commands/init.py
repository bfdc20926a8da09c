"""`prefloop init`: five questions, or as many flags, and a project that runs."""

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..console import result, say
from ..errors import UserError

if TYPE_CHECKING:
    from ..scaffold import Answers


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
    from ..scaffold import Answers

    default = Answers(task="")
    answers = dict(given)
    while not answers["task"] or len(answers["task"]) < 10:
        answers["task"] = typer.prompt("1. The task, in a sentence (what the model does, for whom)").strip()
    if answers["kind"] is None:
        say("2. What are people asked?")
        for name, meaning in kinds.items():
            say(f"   {name:9} {meaning}")
        answers["kind"] = _choice("  ", list(kinds), default.kind)
    if answers["base_model"] is None:
        answers["base_model"] = typer.prompt("3. The base model (a Hub id or a folder)", default=default.base_model)
    if answers["votes"] is None:
        answers["votes"] = typer.prompt("4. Votes per item", default=default.votes, type=int)
    if answers["items"] is None:
        own = typer.prompt(
            "5. Your items, a file of JSON lines (empty: three examples)", default="", show_default=False
        )
        answers["items"] = Path(own).expanduser() if own.strip() else None
    return answers


def _choice(question: str, choices: list[str], default: str) -> str:
    while (answer := str(typer.prompt(question, default=default)).strip()) not in choices:
        say(f"   one of {', '.join(choices)}, please")
    return answer


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
