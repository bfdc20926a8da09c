"""Nothing that the model is measured on goes to annotators or into training: checked at import and at pull."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from ..collect import Item, PreferencePair, Sealed, read_pairs, read_sealed, refuse_sealed
from ..collect.item import content_hash
from ..collect.pair import TIE
from ..collect.sealing.contamination import Overlap, Text, holding_sealed, item_texts, overlaps, pair_texts
from ..collect.sealing.evaluation_texts import EvaluationText, read_evaluation_texts
from ..errors import Problems, UserError
from ..recipe import Recipe
from ..runs import Progress, Run, read_json, silent, write_json
from .folder import collected_file

log = logging.getLogger(__name__)

SHOWN = 10
Row = TypeVar("Row", Item, PreferencePair)


def evaluation_files(recipe: Recipe) -> tuple[Path, ...]:
    """Return the files whose texts must not be trained on: those of the evaluation, and those the recipe names.

    The task check's labels hold no texts, only the ids of the recipe's own prompts.
    """
    asked, questions, bench = recipe.evaluate.general, recipe.evaluate.formats, recipe.evaluate.mt_bench
    files = [asked.data if asked else None, questions.data if questions else None, bench.questions if bench else None]
    named = [path for path in files if path is not None and not path.is_dir()]
    return tuple(dict.fromkeys((*named, *recipe.collect.decontaminate.against)))


def clean_items(run: Run, recipe: Recipe, items: Sequence[Item], progress: Progress = silent) -> list[Item]:
    """Return the items that may be shown, as `collect.decontaminate.action` says.

    Raises:
        UserError: an evaluation file can't be read.
        Problems: items stand in the evaluation data, and the action is to block.
    """
    return _clean(run, recipe, "items", items, item_texts, None, progress)


def clean_pairs(
    run: Run, recipe: Recipe, pairs: Sequence[PreferencePair], sealed: Sealed, progress: Progress = silent
) -> list[PreferencePair]:
    """Return the pairs that may be trained on: people's edits are looked at too. Raises as `clean_items`."""
    return _clean(run, recipe, "pairs", pairs, pair_texts, sealed, progress)


def clean_ties(
    run: Run, recipe: Recipe, ties: Sequence[PreferencePair], sealed: Sealed, progress: Progress = silent
) -> list[PreferencePair]:
    """Return the tied rows that may be trained on. Raises as `clean_items`."""
    return _clean(run, recipe, "ties", ties, pair_texts, sealed, progress)


def training_rows(run: Run, recipe: Recipe, progress: Progress = silent) -> list[PreferencePair]:
    """Return what a training reads: the pairs, and the tied rows where its loss knows what a tie is.

    Raises as `training_pairs`.
    """
    pairs = training_pairs(run, recipe, progress)
    return pairs if recipe.train.votes.ties == "drop" else [*pairs, *training_ties(run, recipe, progress)]


def training_ties(run: Run, recipe: Recipe, progress: Progress = silent) -> list[PreferencePair]:
    """Return the tied rows, looked at as `training_pairs` looks at pairs. Raises likewise."""
    path = collected_file(run, "ties.jsonl")
    if not path.exists():
        raise UserError(f"{path} is not there, but train.votes.ties asks for ties; `prefloop collect pull` writes it")
    ties, sealed = read_pairs(path), read_sealed(collected_file(run, "sealed.json"))
    _refuse_strays(path, [row.id for row in ties if row.kind != TIE], "preferences among the ties")
    refuse_sealed(ties, sealed)
    return clean_ties(run, recipe, ties, sealed, progress)


def training_pairs(run: Run, recipe: Recipe, progress: Progress = silent) -> list[PreferencePair]:
    """Return the pairs to train on or to give away, looked at once more: the file may not be as a pull wrote it.

    Raises:
        UserError: there was no pull yet, or ties stand among the pairs.
        Problems: pairs that are sealed, near a sealed prompt, or stand in the evaluation data.
    """
    path = collected_file(run, "pairs.jsonl")
    if not path.exists():
        raise UserError(f"{run.folder} has no pairs yet; `prefloop collect pull` comes first")
    pairs, sealed = read_pairs(path), read_sealed(collected_file(run, "sealed.json"))
    _refuse_strays(path, [row.id for row in pairs if row.kind == TIE], "ties among the preferences")
    refuse_sealed(pairs, sealed)
    return clean_pairs(run, recipe, pairs, sealed, progress)


def taken_out(run: Run) -> dict[str, list[str]]:
    """Return the ids of the pairs that a pull has kept from training, by the reason; call it after `training_rows`."""
    sealed = (
        {pair.id for pair in read_pairs(path)} if (path := collected_file(run, "sealed_pairs.jsonl")).exists() else ()
    )
    summary = read_json(path) if (path := collected_file(run, "summary.json")).exists() else {}
    looked = read_json(collected_file(run, "contamination.json")).get("pairs", {})
    overlapping = {row["id"] for row in looked.get("overlaps", []) if looked["action"] == "drop"}
    return {
        "sealed, for the evaluation": sorted(sealed),
        "near sealed prompts, or in evaluation data": sorted(overlapping.union(summary.get("pairs_not_used", []))),
    }


def _refuse_strays(path: Path, ids: Sequence[str], what: str) -> None:
    if ids:
        raise UserError(f"{path} has {len(ids)} {what} ({', '.join(ids[:SHOWN])}); `prefloop collect pull` mends it")


def _clean(
    run: Run,
    recipe: Recipe,
    what: str,
    rows: Sequence[Row],
    texts_of: Callable[[Sequence[Row]], list[Text]],
    sealed: Sealed | None,
    progress: Progress,
) -> list[Row]:
    path, action = collected_file(run, "contamination.json"), recipe.collect.decontaminate.action
    against = [text for file in evaluation_files(recipe) for text in read_evaluation_texts(file)]
    basis = content_hash([asdict(text) for text in against] + (sorted(sealed.prompt_ids) if sealed else []))
    written = read_json(path) if path.exists() else {}
    before = written.get(what, {})
    clean = set(before["clean"]) if before.get("basis") == basis else set()
    found = _found([row for row in rows if row.id not in clean], texts_of, against, sealed, progress)
    named = {overlap.id for overlap in found}
    written[what] = {
        "action": action,
        "files": {str(file): sum(text.file == str(file) for text in against) for file in evaluation_files(recipe)},
        "basis": basis,
        "overlaps": [asdict(overlap) for overlap in found],
        "clean": sorted({row.id for row in rows} - named),
    }
    write_json(path, written)
    if found and action == "block":
        raise Problems(*_message(what, len(rows), found, path))
    if found:
        done = "left out" if action == "drop" else "kept"
        log.warning(
            "%d %s stand in data that the model is measured on and were %s: see %s", len(named), what, done, path
        )
    return [row for row in rows if action != "drop" or row.id not in named]


def _found(
    rows: Sequence[Row],
    texts_of: Callable[[Sequence[Row]], list[Text]],
    against: Sequence[EvaluationText],
    sealed: Sealed | None,
    progress: Progress,
) -> list[Overlap]:
    if not rows:
        return []
    texts = texts_of(rows)
    found = overlaps(texts, against, progress) if against else []
    return found + (holding_sealed(texts, sealed) if sealed else [])


def _message(what: str, total: int, found: Sequence[Overlap], path: Path) -> tuple[str, list[str]]:
    named = list(dict.fromkeys(overlap.id for overlap in found))
    shown = [
        f"{one.id} {one.part}: {one.kind} ({one.share:.0%}) of {Path(one.file).name}, {_row(one)}"
        for one in found[:SHOWN]
    ]
    more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return (
        f"{len(named)} of {total} {what} stand in data that the model is measured on; remove them, or set "
        f"collect.decontaminate.action to drop (leave them out, counted) or report (keep them). All are in {path}",
        shown + more,
    )


def _row(overlap: Overlap) -> str:
    return f"prompt {overlap.row}" if overlap.file == "sealed.json" else f"row {overlap.row}"
