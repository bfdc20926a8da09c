"""A look at a recipe's items before anyone is asked to label them. Writes nothing, needs no Argilla."""

from dataclasses import dataclass

from ..collect import read_items
from ..collect.sealing.clusters import clusters, prompt_texts
from ..collect.sealing.contamination import Overlap, item_texts, overlaps
from ..collect.sealing.evaluation_texts import read_evaluation_texts
from ..collect.sealing.personal import Personal, find_personal
from ..recipe import Recipe
from ..runs import Progress, silent
from .decontaminating import evaluation_files


@dataclass(frozen=True, slots=True)
class Checked:
    """What there is to know about items before they are pushed."""

    items: int
    prompts: int
    clusters: tuple[tuple[str, ...], ...]
    """Prompts (their ids) that belong together and fall on one side of the seal; only those of two and more."""
    evaluation: dict[str, int]
    """Texts by evaluation file."""
    overlaps: tuple[Overlap, ...]
    personal: tuple[Personal, ...] | None
    """None where `collect.pii` is off."""


def check_items(recipe: Recipe, progress: Progress = silent) -> Checked:
    """Look for near-duplicates, evaluation data and personal data among the items.

    Raises:
        UserError: a file can't be read, or packages are missing.
    """
    items = read_items(recipe.collect.items)
    prompts = {item.prompt_id: prompt_texts(item.prompt) for item in items}
    files = {path: read_evaluation_texts(path) for path in evaluation_files(recipe)}
    texts = item_texts(items)
    return Checked(
        items=len(items),
        prompts=len(prompts),
        clusters=tuple(members for members in clusters(prompts) if len(members) > 1),
        evaluation={str(path): len(rows) for path, rows in files.items()},
        overlaps=tuple(overlaps(texts, [row for rows in files.values() for row in rows], progress)),
        personal=None if recipe.collect.pii == "off" else tuple(find_personal(texts)),
    )
