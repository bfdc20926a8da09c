"""How good the votes are, what they cost, and the second look that settles disputed items."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..collect import (
    Argilla,
    CollectSettings,
    Pushed,
    QueueingSettings,
    Vote,
    find_queue,
    open_queue,
    pull,
    push,
    read_gold,
    read_sealed,
    read_votes,
    write_rows,
)
from ..errors import UserError
from ..recipe import Recipe
from ..runs import Progress, Run, read_json, silent, write_json, write_lines
from .folder import collected_file, read_run_items, side_key
from .suggesting import suggestions_made

if TYPE_CHECKING:
    from ..collect.quality import Quality

PAGE, NUMBERS, DISPUTES = "quality.html", "quality.json", "disputes.jsonl"


def report_quality(run: Run, recipe: Recipe, *, pseudonyms: bool = False) -> "Quality":
    """Measure the pulled votes and write the page, the numbers, and all disputed items into the run.

    Args:
        run: After a pull.
        recipe: Says how votes become pairs, and what an hour costs.
        pseudonyms: Write `annotator 1`, `annotator 2`, … instead of user names.

    Raises:
        UserError: nothing was pulled yet.
    """
    from ..collect.quality import write_page

    quality = measure_quality(run, recipe, pseudonyms=pseudonyms)
    write_json(collected_file(run, NUMBERS), asdict(quality))
    rows = [{"item_id": row.item_id, "choices": row.choices, "entropy": row.entropy} for row in quality.disputes]
    write_lines(collected_file(run, DISPUTES), rows)
    write_page(collected_file(run, PAGE), quality, title=recipe.collect.queue)
    return quality


def measure_quality(run: Run, recipe: Recipe, *, pseudonyms: bool = False) -> "Quality":
    """Measure the pulled votes; writes nothing. Arguments and errors as of `report_quality`."""
    from ..collect.quality import measure

    path = collected_file(run, "votes.jsonl")
    if not path.exists():
        raise UserError(f"{run.folder} has no votes yet; `prefloop collect pull` comes first")
    votes = read_votes(path)
    return measure(
        read_run_items(run),
        _renamed(votes, side_key(run)) if pseudonyms else votes,
        recipe.collect.pairs,
        adjudications=adjudications(run),
        gold=gold_answers(recipe.collect),
        sealed=read_sealed(collected_file(run, "sealed.json")).prompt_ids,
        suggestions=suggestions_made(run),
        price_per_hour=recipe.collect.price_per_hour,
        currency=recipe.collect.currency,
    )


def adjudicate(run: Run, recipe: Recipe, argilla: Argilla, top: int, progress: Progress = silent) -> Pushed:
    """Show the most disputed items in a queue of their own, with no hint of the votes so far.

    One answer settles an item: the next pull takes it instead of the annotators' votes, and says so.

    Args:
        run: After a pull.
        recipe: Whose form the adjudicator sees, with the main queue's guidelines.
        argilla: Connected as an owner.
        top: How many items, the most disputed first; those shown before are not counted again.
        progress: Called with items added and items in all.

    Raises:
        UserError: nothing was pulled yet, or nothing is disputed.
    """
    disputed = [row.item_id for row in measure_quality(run, recipe).disputes]
    if not disputed:
        raise UserError("no item is disputed: wherever two people voted, they agree, or it is adjudicated already")
    shown = _adjudicated_ids(run)
    chosen = [item_id for item_id in disputed if item_id not in shown][:top]
    queue = open_queue(argilla, adjudication_settings(recipe.collect))
    # First the note, then the records: a kill in between must not leave answers that nobody reads.
    write_json(_shown_path(run), {"queue": queue.name, "item_ids": [*shown, *chosen]})
    items = [item for item in read_run_items(run) if item.id in {*shown, *chosen}]
    return push(argilla, queue, items, side_key(run), progress=progress)


def pull_adjudications(run: Run, recipe: Recipe, argilla: Argilla) -> None:
    """Read the adjudicators' answers into the run, where there was anything to adjudicate."""
    if not _shown_path(run).exists():
        return
    queue = find_queue(argilla, adjudication_settings(recipe.collect))
    mirror = collected_file(run, f"mirror-{queue.id}.jsonl")
    pulled = pull(argilla, queue, side_key(run), _adjudicated_ids(run), mirror=mirror)
    write_rows(collected_file(run, "adjudications.jsonl"), pulled.votes)


def adjudications(run: Run) -> list[Vote]:
    """Return the adjudicators' answers that the last pull read."""
    path = collected_file(run, "adjudications.jsonl")
    return read_votes(path) if path.exists() else []


def adjudication_settings(settings: CollectSettings) -> CollectSettings:
    """Return the settings of the adjudication queue: the same form, one answer an item, no plan of its own."""
    own = {"queue": f"{settings.queue}.adjudication", "min_votes": 1, "skills": {}, "queueing": QueueingSettings()}
    return settings.model_copy(update=own)


def gold_answers(settings: CollectSettings) -> Mapping[str, str]:
    """Return the known answers of the gold items; none where the recipe names no such file."""
    return read_gold(settings.queueing.gold) if settings.queueing.gold else {}


def _shown_path(run: Run) -> Path:
    return collected_file(run, "adjudication.json")


def _adjudicated_ids(run: Run) -> list[str]:
    path = _shown_path(run)
    return list(read_json(path)["item_ids"]) if path.exists() else []


def _renamed(votes: Sequence[Vote], key: bytes) -> list[Vote]:
    """Number the annotators in an order that only the run's side key tells."""
    drawn = {vote.annotator: hmac.new(key, vote.annotator.encode(), hashlib.sha256).digest() for vote in votes}
    names = {name: f"annotator {number}" for number, name in enumerate(sorted(drawn, key=drawn.__getitem__), 1)}
    return [replace(vote, annotator=names[vote.annotator]) for vote in votes]
