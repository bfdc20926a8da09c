"""A DPO recipe of alignment-handbook, TRL or open-instruct in, a prefloop recipe out, with word of every key."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ..errors import UserError
from ..recipe import check_recipe
from ..runs import write_text
from ..train import TrainSettings
from .data import Source, data_words, slug, take_data
from .notes import Translation, Work
from .steps import STEPS, take_rest

SEALED = 0.03
"""The share of prompts held out of public data: about the 2,000 that alignment-handbook holds out of UltraFeedback."""
GUIDELINES = """# What these votes are

The pairs come from published preference data, imported with `prefloop collect import`: `source.json` beside them says
who judged what and how, and under which licence. Nobody labels for this recipe. If you push its items to Argilla, write
here what annotators shall read.
"""


def translate_file(path: Path, *, gpus: int = 1) -> Translation:
    """Translate a file; see `translate`. Raises UserError where it can't be read, or is no mapping."""
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(tree, dict) or not all(isinstance(key, str) for key in tree):
        raise UserError(f"{path} must be a mapping of arguments (model_name_or_path, beta, …)")
    return translate(tree, name=path.stem, gpus=gpus)


def translate(given: Mapping[str, Any], *, name: str, gpus: int = 1) -> Translation:
    """Translate the arguments of a DPO training into a recipe.

    Keys that stand for nothing here are noted with the reason; where the file leaves something to its own tool, that
    tool's default (TRL 1.16's) is written out if prefloop's is another.

    Args:
        given: ScriptArguments, DPOConfig and ModelConfig together, as their YAML file has them, under old or new names.
        name: Names the recipe where the file does not (hub_model_id, run_name).
        gpus: With how many GPUs the source trained: they multiply its batch.
    """
    name = _name(given, name)
    work = Work(dict(given), gpus)
    sources = take_data(work)
    for step in STEPS:
        step(work)
    for key, value in list(work.left.items()):
        take_rest(work, key, value)
    order = list(given)
    notes = sorted(work.notes, key=lambda note: order.index(note.key) if note.key in order else len(order))
    return Translation(_recipe(work, name, sources), tuple(notes), tuple(work.warnings), _commands(sources))


def write_recipe(translation: Translation, out: Path, *, source: str) -> list[Path]:
    """Write the recipe and, where there is none, the guidelines it names; return what was written.

    Raises:
        UserError: the file is there already.
        Problems: what the recipe has is refused by prefloop's own settings.
    """
    if out.exists():
        raise UserError(f"{out} is there already; name another file with --out")
    check_recipe(translation.recipe, name=f"{source}, translated,", folder=out.resolve().parent)
    head = [f"Translated from {source} by `prefloop recipe import`. To run it, beside this file:", ""]
    head += [f"  {command.replace('RECIPE', out.name)}" for command in translation.commands]
    head += ["", *(f"Mind: {warning}" for warning in translation.warnings)]
    text = "".join(f"# {line}".rstrip() + "\n" for line in head).rstrip("# \n") + "\n"
    body = yaml.safe_dump(translation.recipe, sort_keys=False, allow_unicode=True, width=110)
    guidelines = out.parent / translation.recipe["collect"]["guidelines"]
    written = [] if guidelines.exists() else [write_text(guidelines, GUIDELINES)]
    return [write_text(out, text + body), *written]


def _name(given: Mapping[str, Any], otherwise: str) -> str:
    named = given.get("hub_model_id") or given.get("run_name") or given.get("exp_name") or otherwise
    return slug(str(named).rsplit("/", 1)[-1])


def _recipe(work: Work, name: str, sources: tuple[Source, ...]) -> dict[str, Any]:
    folder = sources[0].folder if len({source.folder for source in sources}) == 1 else "data/mixed"
    train = {
        key: value
        for key, value in work.train.items()
        if (tuple(value) if isinstance(value, list) else value) != TrainSettings.model_fields[key].default
    }
    order = list(TrainSettings.model_fields)
    base = work.train.get("base_model", TrainSettings().base_model)
    return {
        "name": name,
        "task": f"{base} tuned on {data_words(sources)}; say here what your model is for.",
        "collect": {
            "items": f"{folder}/items.jsonl",
            "votes": f"{folder}/votes.jsonl",
            "guidelines": "guidelines.md",
            "queue": name,
            "sealed_fraction": SEALED,
        },
        "train": {key: train[key] for key in sorted(train, key=order.index)},
    }


def _commands(sources: tuple[Source, ...]) -> tuple[str, ...]:
    folders = list(dict.fromkeys(source.folder for source in sources))
    mixed: list[str] = []
    if len(folders) > 1:
        each = ("items", "votes")
        mixed = [
            "mkdir -p data/mixed",
            *(f"cat {' '.join(f'{f}/{n}.jsonl' for f in folders)} > data/mixed/{n}.jsonl" for n in each),
        ]
    last = ("prefloop collect adopt RECIPE", "prefloop train RECIPE")
    return (*(source.command for source in sources), *mixed, *last)
