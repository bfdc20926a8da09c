"""The run's training pairs as a data set folder."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from ..collect import CollectSettings, read_items, read_sealed, read_votes
from ..collect.data_card import ExportSettings
from ..collect.export import Collection, Exported, write_export
from ..collect.sealing.contamination import item_texts, pair_texts
from ..collect.sealing.personal import Kind, Personal, vote_texts
from ..collect.sides import read_side_key
from ..collect.sources import read_source
from ..recipe import Recipe
from ..runs import Run, read_json
from .decontaminating import training_pairs
from .folder import collected_file
from .judging import adjudications
from .privacy import look_for_personal

BLIND = "names, addresses and whatever else only a reader would recognise are not looked for."


def export_run(run: Run, recipe: Recipe, folder: Path, settings: ExportSettings) -> Exported:
    """Write what the run may give away for training. Reads files only, and opens no seal.

    Raises:
        UserError: nothing was pulled yet, or the folder holds something else.
        Problems: pairs that must not be trained on, or personal data where the recipe says to block.
    """
    pairs = training_pairs(run, recipe)  # first: it says what comes before an export
    collection = Collection(
        items=read_items(collected_file(run, "items.jsonl")),
        votes=[*read_votes(collected_file(run, "votes.jsonl")), *adjudications(run)],
        pairs=pairs,
        sealed=read_sealed(collected_file(run, "sealed.json")),
        summary=read_json(collected_file(run, "summary.json")),
        source=read_source(collected_file(run, "")),
    )
    texts = [*pair_texts(pairs), *vote_texts(collection.votes), *item_texts(collection.items)]
    found = look_for_personal(run, recipe, "pairs, votes and items", texts)
    leaves = [row for row in found if row.id not in _stays(collection)]
    settings = replace(settings, guidelines=guidelines(run, recipe.collect), personal=_scan(recipe, leaves))
    # Drawn and kept (mode 0600) as the side key is: the same run always gives the same pseudonyms.
    return write_export(folder, collection, settings, read_side_key(collected_file(run, "annotator_key")))


def guidelines(run: Run, settings: CollectSettings) -> str:
    """Return what annotators read, every queue's, as far as the files are still there.

    Nothing of what was imported with its votes: others asked, with words of theirs.
    """
    if not collected_file(run, "push.json").exists() and read_source(collected_file(run, "")) is not None:
        return ""
    texts = [(None, settings.guidelines), *((name, skill.guidelines) for name, skill in settings.skills.items())]
    read = [(name, path.read_text(encoding="utf-8").strip()) for name, path in texts if path and path.exists()]
    return "\n\n".join(text if name is None else f"### {name}\n\n{text}" for name, text in read)


def _stays(collection: Collection) -> set[str]:
    """Return the ids of items and votes that stay here, because their prompts are sealed or near a sealed one."""
    items = {item.id for item in collection.items if collection.sealed.side(item) != "training"}
    return items | {vote.id for vote in collection.votes if vote.item_id in items}


def _scan(recipe: Recipe, found: Sequence[Personal]) -> str:
    """Say what came of looking for personal data."""
    if recipe.collect.pii == "off":
        return "Nobody looked for personal data in it (`collect.pii` is off)."
    if not found:
        return f"A scan by form ({', '.join(get_args(Kind))}) found nothing; {BLIND}"
    kinds = Counter[str]()
    for row in found:
        kinds[row.kind] += row.count
    named = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
    return f"A scan by form found, in {len({row.id for row in found})} rows: {named}. They were not removed; {BLIND}"
