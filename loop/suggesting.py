"""Suggestions on their way to annotators and back: who saw one is kept in the run folder, and so is what it changed."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from ..collect import Item, Vote
from ..collect.sampling.scores import read_scores
from ..collect.sampling.suggestions import Suggestion, is_shown, suggest, suggestion_effect
from ..errors import UserError
from ..recipe import Recipe
from ..runs import Run, read_json, write_json
from .folder import collected_file, side_key

FILE = "suggestions.json"


def suggestions_to_show(run: Run, recipe: Recipe, items: Sequence[Item]) -> dict[str, Suggestion]:
    """Return the suggestions that go to Argilla, by item id, and keep for every item whether it has one in sight.

    An item's lot is drawn at its first push: scores that come later change nothing for those that people see already.

    Raises:
        UserError: suggestions are asked for, and the scorer has scored nothing.
    """
    settings = recipe.collect.suggestions
    if settings is None:
        return {}
    lots, key = _lots(run), side_key(run)
    found = suggest(read_scores(collected_file(run, "scores.jsonl")), settings)
    if not found and not lots:
        raise UserError(
            f"collect.suggestions wants the choices of {settings.scorer!r}, who has scored nothing in {run.folder}; "
            "`prefloop collect score` names the scorers"
        )
    for item in items:
        if item.id not in lots:
            scored = found.get(item.id)
            shown = scored is not None and is_shown(key, item.id, settings.share)
            lots[item.id] = {"suggestion": asdict(scored) if scored else None, "shown": shown}
    write_json(collected_file(run, FILE), lots)
    return {item_id: Suggestion(**lot["suggestion"]) for item_id, lot in lots.items() if lot["shown"]}


def mark_seen(run: Run, votes: Sequence[Vote]) -> tuple[Vote, ...]:
    """Return the votes with those marked that were given with a suggestion in sight."""
    shown = {item_id for item_id, lot in _lots(run).items() if lot["shown"]}
    return tuple(replace(vote, suggestion_seen=vote.item_id in shown) for vote in votes) if shown else tuple(votes)


def effect_of_suggestions(run: Run, votes: Sequence[Vote]) -> dict[str, Any] | None:
    """Return what seeing suggestions did to the labels, None where there were none or nobody voted on both sorts."""
    effect = suggestion_effect(votes, suggestions_made(run))
    return asdict(effect) if effect else None


def suggestions_made(run: Run) -> dict[str, Suggestion]:
    """Return by item id what the scorer chose when the item was pushed, whether people see it or not."""
    return {item_id: Suggestion(**lot["suggestion"]) for item_id, lot in _lots(run).items() if lot["suggestion"]}


def _lots(run: Run) -> dict[str, dict[str, Any]]:
    path = collected_file(run, FILE)
    return dict(read_json(path)) if path.exists() else {}
