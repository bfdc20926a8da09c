"""Talking with a model in the terminal."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import beside, piece, result, say
from ..errors import UserError

if TYPE_CHECKING:
    from ..loop.chatting import Talk

HELP = "/compare [words]  base and tuned model side by side   /reset  forget the talk   /quit"


def chat(
    folder: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run, an export, or a model folder.", show_default=False)
    ],
    base: Annotated[bool, typer.Option("--base", help="Talk with the model that it was trained from.")] = False,
    system: Annotated[str | None, typer.Option(help="A system message before the talk.", show_default="none")] = None,
    temperature: Annotated[float, typer.Option(help="0 always takes the likeliest token.", min=0)] = 0.7,
    top_p: Annotated[
        float, typer.Option(help="Sample from the likeliest tokens up to this share.", min=0.01, max=1)
    ] = 0.95,
    max_new_tokens: Annotated[int, typer.Option(help="The longest answer, in tokens.", min=1)] = 256,
    seed: Annotated[int, typer.Option(help="The same talk with the same seed gives the same answers.", min=0)] = 0,
) -> None:
    """Talk with a trained model, before others do.

    Ctrl-C stops an answer, Ctrl-D or /quit ends. /compare shows what base and tuned model make of the same words,
    /reset forgets the talk. In a pipe every line of the input is a turn, and only answers go to the output:
    echo "Where is my parcel?" | prefloop chat runs/demo
    """
    from ..collect.sampling.generate import GenerateSettings
    from ..loop.chatting import open_talk

    settings = GenerateSettings(max_new_tokens=max_new_tokens, temperature=temperature, top_p=top_p, seed=seed)
    talk = open_talk(folder, settings, base=base, system=system)
    say(f"{talk.speaker.name}")
    how = f"temperature {temperature:g}, top-p {top_p:g}, up to {max_new_tokens} tokens" if temperature else "greedy"
    say(f"{how}   {HELP}")
    if sys.stdin.isatty():
        _talk(talk)
    else:
        _read(talk)


def _talk(talk: "Talk") -> None:
    """Ask until the user has had enough. What can't be done is said, and the talk goes on."""
    with suppress(ImportError):  # lines are edited, and found again with the arrow keys
        import readline  # noqa: F401
    while True:
        try:
            line = input("> ").strip()
        except EOFError:
            say()
            return
        except KeyboardInterrupt:
            say("  (Ctrl-D or /quit ends)")
            continue
        if line == "/quit":
            return
        try:
            _turn(talk, line)
        except UserError as error:
            say(str(error))
        except KeyboardInterrupt:
            say("  (stopped)")


def _read(talk: "Talk") -> None:
    """Answer line by line; here a problem ends the program, so that a script notices."""
    for line in sys.stdin:
        if line.strip() == "/quit":
            return
        _turn(talk, line.strip())


def _turn(talk: "Talk", line: str) -> None:
    command, _, words = line.partition(" ")
    if not line:
        return
    if command == "/reset":
        talk.reset()
        say("forgotten")
    elif command == "/compare":
        _compare(talk, words.strip())
    elif line.startswith("/"):
        say(f"{command} is no command: {HELP}")
    else:
        answer = talk.say(line)
        try:
            for text in answer:
                piece(text)
        finally:
            answer.close()
            result("")


def _compare(talk: "Talk", words: str) -> None:
    if not words:  # the last question once more, without its answer
        asked = [place for place, turn in enumerate(talk.turns) if turn.role == "user"]
        if not asked:
            raise UserError("nothing was asked yet: /compare WORDS")
        words, talk.turns = talk.turns[asked[-1]].content, talk.turns[: asked[-1]]
    before, after = talk.compare(words)
    beside("base", before, "tuned", after)
