"""Write docs/reference.md from the code: every setting with its default and docstring, every command with its help.

Run `.venv/bin/python docs/make_reference.py`; a test compares the result with the file.
"""

import ast
import inspect
import os
import sys
import textwrap
from itertools import pairwise
from pathlib import Path

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

HEAD = """# Reference

Made by `docs/make_reference.py` from the code; a test keeps it in step.

## Recipe

A recipe is one YAML file with the sections below. Unknown settings are refused; `--set section.setting=value` changes
one from the command line. Paths are relative to the recipe's folder.
"""


def docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Return the string under each field of a settings class, inherited ones too."""
    inherited = [base for base in model.__bases__ if issubclass(base, BaseModel) and base is not BaseModel]
    said = {name: text for base in inherited for name, text in docstrings(base).items()}
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0].body
    pairs = pairwise(body)
    return said | {
        field.target.id: " ".join(text.value.value.split())
        for field, text in pairs
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr)
    }


def settings_rows(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Return a table row for each setting, nested sections flattened."""
    rows, said = [], docstrings(model)
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
        inner = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        default = "required" if field.default is PydanticUndefined else f"`{field.default!r}`"
        if inner and field.default is None and prefix + name not in ("collect", "train", "evaluate", "publish"):
            rows.append(f"| `{prefix}{name}` | off | {said.get(name, '')} |")
        elif not inner:
            rows.append(f"| `{prefix}{name}` | {default} | {said.get(name, '')} |".replace("PosixPath", "Path"))
        for kind in inner:
            rows += settings_rows(kind, f"{prefix}{name}.")
    return rows


def commands() -> list[str]:
    """Return each command's --help."""
    import typer.main
    from prefloop.cli import app

    os.environ |= {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    parts = []

    def walk(command: object, path: str) -> None:
        context = type(command).context_class(command, info_name=path)  # type: ignore[attr-defined]
        parts.append(f"### `{path}`\n\n```text\n{command.get_help(context).rstrip()}\n```\n")  # type: ignore[attr-defined]
        for name, child in getattr(command, "commands", {}).items():
            walk(child, f"{path} {name}")

    walk(typer.main.get_command(app), "prefloop")
    return parts


def reference() -> str:
    """Return the whole page."""
    from prefloop.recipe import Recipe

    table = ["| setting | default | |", "|---|---|---|", *settings_rows(Recipe)]
    return HEAD + "\n" + "\n".join(table) + "\n\n## Commands\n\n" + "\n".join(commands())


if __name__ == "__main__":
    Path(__file__).with_name("reference.md").write_text(reference(), encoding="utf-8")
    sys.stderr.write("docs/reference.md written\n")
