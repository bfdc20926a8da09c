"""The run's training pairs as a data set folder."""

from dataclasses import replace
from pathlib import Path

from ..collect import CollectSettings, read_items, read_sealed, read_votes
from ..collect.data_card import ExportSettings
from ..collect.export import Collection, Exported, write_export
from ..collect.sealing.contamination import pair_texts
from ..collect.sealing.personal import vote_texts
from ..collect.sides import read_side_key
from ..collect.sources import read_source
from ..recipe import Recipe
from ..runs import Run, read_json
from .decontaminating import training_pairs
from .folder import collected_file
from .judging import adjudications
from .privacy import look_for_personal


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
    look_for_personal(run, recipe, "pairs and votes", [*pair_texts(pairs), *vote_texts(collection.votes)])
    if (
        collected_file(run, "push.json").exists() or collection.source is None
    ):  # else others asked, with words of theirs
        settings = replace(settings, guidelines=_guidelines(recipe.collect))
    # Drawn and kept (mode 0600) as the side key is: the same run always gives the same pseudonyms.
    return write_export(folder, collection, settings, read_side_key(collected_file(run, "annotator_key")))


def _guidelines(settings: CollectSettings) -> str:
    """Return what annotators read, every queue's, as far as the files are still there."""
    texts = [(None, settings.guidelines), *((name, skill.guidelines) for name, skill in settings.skills.items())]
    read = [(name, path.read_text(encoding="utf-8").strip()) for name, path in texts if path and path.exists()]
    return "\n\n".join(text if name is None else f"### {name}\n\n{text}" for name, text in read)
