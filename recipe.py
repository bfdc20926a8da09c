"""A recipe: one YAML file, one run. It is no more than the sum of the stages' own settings."""

import re
from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import BaseModel, Field, ValidationError

from .collect.settings import CollectSettings
from .errors import Problems, UserError
from .evaluate.settings import EvaluateSettings
from .publish.settings import PublishSettings
from .runs import Run, open_run, read_json, write_json
from .train.settings import TrainSettings
from .train.sweep import SweepSettings


class Recipe(BaseModel, extra="forbid", frozen=True):
    """What one turn of the loop does."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    """Names the run: its folder is `runs/<name>` unless told otherwise."""
    task: str = Field(min_length=10)
    """The narrow job, in a sentence or two: the card opens with it."""
    collect: CollectSettings
    train: TrainSettings = TrainSettings()
    sweep: SweepSettings = SweepSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    publish: PublishSettings = PublishSettings()


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe, apply `a.b=value` overrides, and check it all at once.

    Paths in the file are relative to the file; paths in overrides too, so that both mean the same.

    Raises:
        UserError: the file can't be read, or is not YAML.
        Problems: every setting that is unknown, missing or out of range.
    """
    tree = _read_yaml(path)
    problems = [problem for override in overrides if (problem := _apply(tree, override))]
    if problems:
        raise Problems("--set", problems)
    return check_recipe(tree, name=str(path), folder=path.resolve().parent)


def check_recipe(tree: dict[str, Any], *, name: str, folder: Path) -> Recipe:
    """Validate a recipe's tree and make its paths absolute. Raises Problems as `load_recipe`."""
    try:
        recipe = Recipe.model_validate(tree)
    except ValidationError as error:
        raise Problems(f"{name} is not a valid recipe", [_sentence(problem) for problem in error.errors()]) from error
    return Recipe.model_validate(_absolute(recipe.model_dump(), folder))


def resolved(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe as JSON-able values, every default written out."""
    return recipe.model_dump(mode="json")


def recipe_run(recipe: Recipe, folder: Path, *, overwrite: bool = False, migrating: bool = False) -> Run:
    """Open the recipe's run as `runs.open_run` does, one that an earlier prefloop made too.

    Settings that prefloop did not have when the run was made are read as their defaults, which is how it ran.
    """
    saved = folder / "recipe.json"
    if saved.exists():
        tree = read_json(saved)
        with suppress(ValidationError):  # it then holds a setting that is gone, and differs from any recipe of now
            if (known := resolved(Recipe.model_validate(tree))) != tree:
                write_json(saved, known)
    return open_run(folder, resolved(recipe), overwrite=overwrite, migrating=migrating)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"the recipe {path} can't be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"the recipe {path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(tree, dict):
        raise UserError(f"the recipe {path} must be a mapping of sections (name, task, collect, train, …)")
    return tree


def _apply(tree: dict[str, Any], override: str) -> str | None:
    """Set one `a.b=value` in the tree; return what is wrong with it, if anything."""
    where, equals, text = override.partition("=")
    *sections, key = where.strip().split(".")
    if not equals or not key:
        return f"{override!r} is not of the form section.setting=value"
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return f"{override!r}: {text!r} is not a YAML value"
    for section in sections:
        inner = tree.get(section)
        if inner is None:  # left out, or null in a run's recipe.json
            inner = tree[section] = {}
        if not isinstance(inner, dict):
            return f"{override!r}: {section!r} is no section"
        tree = inner
    tree[key] = value
    return None


def _sentence(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{where}  is not a setting{_did_you_mean(problem['loc'])}"
    if problem["type"] == "missing":
        return f"{where}  is missing"
    message = re.sub(r"^\w+ should ", "must ", str(problem["msg"]).removeprefix("Value error, "))
    given = "" if isinstance(problem["input"], dict) else f", got {problem['input']!r}"
    return f"{where or 'the recipe'}  {message}{given}"


def _did_you_mean(location: Sequence[int | str]) -> str:
    *sections, wrong = location
    names = list(_section(Recipe, sections).model_fields)
    near = get_close_matches(str(wrong), names, n=1)
    return f"; did you mean `{near[0]}`?" if near else f"; there are {', '.join(names)}"


def _section(model: type[BaseModel], path: Sequence[int | str]) -> type[BaseModel]:
    for name in path:
        if str(name) not in model.model_fields:  # a key of the user's own in a mapping of sections
            continue
        annotation = model.model_fields[str(name)].annotation
        inner = [kind for kind in (annotation, *getattr(annotation, "__args__", ())) if _is_settings(kind)]
        if not inner:
            return model
        model = cast(type[BaseModel], inner[0])
    return model


def _is_settings(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _absolute(value: Any, folder: Path) -> Any:
    if isinstance(value, dict):
        return {key: _absolute(inner, folder) for key, inner in value.items()}
    if isinstance(value, tuple):
        return tuple(_absolute(inner, folder) for inner in value)
    return folder / value.expanduser() if isinstance(value, Path) else value
