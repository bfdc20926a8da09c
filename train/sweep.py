"""A sweep: settings times seeds, each a training of its own."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import yaml
from pydantic import BaseModel, Field, ValidationError

from ..collect.item import content_hash
from ..errors import Problems, UserError
from .settings import TrainSettings

SECTION = "train."
FIXED = {
    "seed": "seeds are counted by `seeds`",
    **dict.fromkeys(
        ("base_model", "base_revision", "base_adapter", "chat_template", "sft"),
        "cells start from one model; sweep each start in a run of its own",
    ),
    "use_peft": "cells are adapters on one base",
}
"""Settings that no sweep goes over, and why."""

Changes = dict[str, Any]
"""Training settings by name without `train.`, dotted where they are nested: `{"beta": 0.05}`."""


class SweepSettings(BaseModel, extra="forbid", frozen=True):
    """Which settings are compared, and how often each is trained."""

    over: dict[str, tuple[Any, ...]] = {}
    """The values of each setting, `train.beta: [0.05, 0.1]`; every combination is tried."""
    combinations: tuple[dict[str, Any], ...] = ()
    """Further settings that no grid can say: `{train.loss_type: [sigmoid_norm], train.beta: 5}`."""
    seeds: int = Field(3, ge=1)
    """Trainings of each setting, from `train.seed` upwards; with one, no difference can be told from a seed's luck."""
    held_out: float = Field(0.25, gt=0, lt=1)
    """The share of the training prompts that no cell trains on and all are compared on."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One training of a sweep."""

    changes: Changes
    """What its setting changes in the recipe's own `train`; nothing for the recipe's."""
    train: TrainSettings

    @property
    def setting(self) -> str:
        """The setting's name, good for a folder."""
        return setting_name(self.changes)

    @property
    def name(self) -> str:
        """The cell's name, good for a folder."""
        return f"{self.setting}-seed{self.train.seed}"


def read_over(options: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Read `train.beta=0.05,0.1` options into the values by setting.

    Raises:
        Problems: options that are not of this form.
    """
    found: dict[str, tuple[Any, ...]] = {}
    problems = []
    for option in options:
        name, equals, text = option.partition("=")
        try:
            values = yaml.safe_load(f"[{text}]")
        except yaml.YAMLError:
            values = None
        if not equals or not values:
            problems.append(f"{option!r} is not of the form train.setting=value,value,…")
        elif name.strip() in found:
            problems.append(f"{name.strip()} is given twice; put all its values into one --over")
        else:
            found[name.strip()] = tuple(values)
    if problems:
        raise Problems("--over", problems)
    return found


def swept_settings(train: TrainSettings, sweep: SweepSettings) -> list[Changes]:
    """Return what each setting changes in `train`, without repetitions: the grid first, then the combinations.

    Raises:
        UserError: there is nothing to compare, or whole models are trained.
        Problems: every setting that is unknown, may not be swept, or makes no valid training.
    """
    grid = (
        [dict(zip(sweep.over, values, strict=True)) for values in product(*sweep.over.values())] if sweep.over else []
    )
    asked = [*grid, *sweep.combinations]
    if not asked:
        raise UserError("nothing to sweep over: give --over train.beta=0.05,0.1 or a sweep section in the recipe")
    refused = {name: problem for one in asked for name in one for problem in _refused(name)}
    problems = dict.fromkeys(sorted(refused.values()))  # in order, and each once
    found: dict[str, Changes] = {}
    for one in asked:
        known = {name: value for name, value in one.items() if name not in refused}
        try:
            changes = _changes(train, changed(train, {name.removeprefix(SECTION): known[name] for name in known}))
            found.setdefault(setting_name(changes), changes)
        except ValidationError as error:
            problems |= dict.fromkeys(_invalid(known, error))
    if problems:
        raise Problems("the sweep", list(problems))
    return list(found.values())


def cells(train: TrainSettings, settings: Sequence[Changes], seeds: Sequence[int]) -> list[Cell]:
    """Return all cells, seed by seed: when a sweep is stopped early, every setting has been tried equally often."""
    return [Cell(one, changed(train, {**one, "seed": seed})) for seed in seeds for one in settings]


def changed(train: TrainSettings, changes: Mapping[str, Any]) -> TrainSettings:
    """Return the settings with some of them changed. Raises pydantic's ValidationError."""
    tree = train.model_dump()
    for name, value in changes.items():
        *sections, key = name.split(".")
        inner = tree
        for section in sections:
            inner = inner[section]
        inner[key] = value
    return TrainSettings.model_validate(tree)


def setting_name(changes: Changes) -> str:
    """Name a setting by what it changes; a long or odd one by its hash besides."""
    said = ",".join(f"{name}={_short(changes[name])}" for name in sorted(changes)) or "recipe"
    plain = re.sub(r"[^\w.=,+-]", "", said)[:80]
    return plain if plain == said else f"{plain}-{content_hash(changes)[:6]}"


def _short(value: object) -> str:
    return "+".join(map(_short, value)) if isinstance(value, list | tuple) else str(value)


def _changes(train: TrainSettings, other: TrainSettings) -> Changes:
    """Return every setting in which `other` differs, as JSON-able values."""
    mine, theirs = (dict(_leaves(one.model_dump(mode="json"))) for one in (train, other))
    return {name: value for name, value in theirs.items() if name not in mine or mine[name] != value}


def _leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


def _invalid(asked: Mapping[str, Any], error: ValidationError) -> Iterator[str]:
    """Yield what is wrong with a setting's values: with one of them, or with all of them together."""
    for row in error.errors():
        where = SECTION + ".".join(map(str, row["loc"]))
        named = [name for name in asked if f"{where}.".startswith(f"{name}.")] or list(asked)
        values = ", ".join(f"{name}={asked[name]}" for name in named)
        yield f"{values}: {str(row['msg']).removeprefix('Value error, ')}"


def _refused(name: str) -> list[str]:
    if not name.startswith(SECTION):
        return [f"{name}  can't be swept: a cell is a training, so only train.* settings can"]
    model: Any = TrainSettings
    for part in (parts := name.removeprefix(SECTION).split(".")):
        if not (isinstance(model, type) and issubclass(model, BaseModel) and part in model.model_fields):
            return [f"{name}  is not a setting"]
        model = model.model_fields[part].annotation
    return [f"{name}  can't be swept: {FIXED[parts[0]]}"] if parts[0] in FIXED else []
