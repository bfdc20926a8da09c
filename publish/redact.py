"""What must not leave the machine: its paths are shortened to file names, and a secret stops the release."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import TypeAdapter

from ..errors import Problems
from ..evaluate.report import Report
from ..home import home

SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)$")
SECRET_FORM = re.compile(rb"\b(?:hf_[A-Za-z0-9]{30,}|sk-[A-Za-z0-9_-]{24,}|gh[pousr]_[A-Za-z0-9]{36,})\b")
"""How tokens of the Hub, of OpenAI-compatible services and of GitHub look."""
ANY_PATH = re.compile(r"(?<![\w./:])(?:/[\w.@+~-]+)+/([\w.@+~-]+)")
"""An absolute path in a command line."""
HEAD = 1 << 20
"""Bytes of a weights file that are searched: its header, where text can stand."""


def own_places(*more: Path) -> re.Pattern[str]:
    """Match a path at or below the user's home, prefloop's home, the current folder, or one of `more`."""
    places = {str(place.absolute()) for place in (Path.home(), home(), Path.cwd(), *more)} - {"/"}
    names = "|".join(re.escape(place) for place in sorted(places, key=len, reverse=True))
    return re.compile(rf"(?<![\w./])(?:{names})(?:/[^\s\"'`<>|,;:)\]}}\\]*)?(?![\w.-])")


def shorten(text: str, places: re.Pattern[str]) -> str:
    """Return the text with each of those paths cut down to its last part."""
    return places.sub(lambda found: PurePosixPath(found[0]).name, text)


def shorten_settings(value: Any) -> Any:
    """Return settings with every absolute path, wherever on the machine, cut down to its last part."""
    if isinstance(value, dict):
        return {key: shorten_settings(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [shorten_settings(inner) for inner in value]
    if isinstance(value, str) and "\n" not in value and len((path := PurePosixPath(value)).parts) > 2:
        return path.name if path.is_absolute() else value
    return value


def shorten_report(report: Report) -> Report:
    """Return the report with the absolute paths in its settings and commands, at any depth, cut down to last parts."""
    whole = TypeAdapter(Report)
    shortened: Report = whole.validate_python(_shorten_parts(whole.dump_python(report, mode="json")), strict=False)
    return shortened


def _shorten_parts(value: Any) -> Any:
    if isinstance(value, list):
        return [_shorten_parts(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {key: SHORTENED.get(key, _shorten_parts)(inner) for key, inner in value.items()}


def shorten_commands(commands: list[str]) -> list[str]:
    """Return command lines with every absolute path cut down to its last part."""
    return [ANY_PATH.sub(r"\1", command) for command in commands]


SHORTENED: dict[str, Callable[[Any], Any]] = {"settings": shorten_settings, "commands": shorten_commands}
"""Parts of a report that hold paths."""


def refuse_leaks(folder: Path, places: re.Pattern[str], *, environment: Mapping[str, str] = os.environ) -> None:
    """Look through every file for this machine's folders and for secrets.

    Raises:
        Problems: something that must not be published, each with its file; secrets are named, never shown.
    """
    named = {name: value.encode() for name, value in environment.items() if SECRET_NAME.search(name)}
    secrets = {name: value for name, value in named.items() if len(value) >= 8}
    problems = [
        f"{path.relative_to(folder)} {leak}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for leak in _leaks(path, places, secrets)
    ]
    if problems:
        raise Problems("the release would publish what must stay here, so it was not written", problems)


def _leaks(path: Path, places: re.Pattern[str], secrets: Mapping[str, bytes]) -> Iterator[str]:
    with path.open("rb") as file:
        content = file.read(HEAD if path.suffix == ".safetensors" else -1)
    yield from (
        f"holds the value of the environment variable {name}" for name, value in secrets.items() if value in content
    )
    if SECRET_FORM.search(content):
        yield "holds what looks like an access token"
    if path.suffix != ".safetensors" and (found := places.search(content.decode("utf-8", "replace"))):
        yield f"names the folder {found[0]}"
