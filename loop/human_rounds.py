"""Evaluation rounds by people: both models' answers to the sealed prompts into a queue of their own, and votes back.

    evaluate/humans/round.json          which round is the current one
    evaluate/humans/<round>/            round.json, items.jsonl, then votes.jsonl and result.json

A round is known by its items: the same answers are the same round, and a model trained anew gets another queue. Its
votes stay in this folder, apart from what `collect` keeps, and nothing that trains reads them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..collect import (
    Argilla,
    Item,
    Origin,
    PreferencePair,
    Pushed,
    find_queue,
    open_queue,
    pull,
    push,
    read_items,
    read_pairs,
    write_rows,
)
from ..collect.item import content_hash
from ..errors import UserError
from ..recipe import Recipe
from ..runs import Progress, Run, read_json, silent, write_json
from .folder import collected_file, side_key

if TYPE_CHECKING:
    from ..evaluate.humans import Contest, HumanRound
    from ..evaluate.measured import GivenAnswers

NAMES = 8
"""Hexadecimal digits of a round's name."""


@dataclass(frozen=True, slots=True)
class PushedRound:
    """What became of each sealed prompt."""

    queue: str
    pushed: Pushed
    equal: tuple[str, ...]
    """Ids of prompts with equal answers, about which nobody is asked."""
    without_answers: tuple[str, ...]
    """Ids of sealed prompts that the evaluation left out."""


def push_round(run: Run, recipe: Recipe, argilla: Argilla, progress: Progress = silent) -> PushedRound:
    """Show both models' answers to the sealed prompts, blind, in a queue of their own. Pushing again adds nothing.

    Raises:
        UserError: nothing was evaluated yet, or not one pair of answers differs.
    """
    from ..evaluate.humans import evaluation_settings

    items, note = _draw_up(run)
    settings = evaluation_settings(recipe.collect, note["id"])
    folder = humans_folder(run) / note["id"]
    queue = open_queue(argilla, settings)
    # First the note, then the records: a kill in between must not leave answers that nobody reads.
    write_rows(folder / "items.jsonl", items)
    write_json(folder / "round.json", note | {"queue": queue.name})
    write_json(humans_folder(run) / "round.json", {"id": note["id"]})
    pushed = push(argilla, queue, items, side_key(run), progress=progress)
    write_json(folder / "round.json", note | {"queue": queue.name, "refused": dict(pushed.refused)})
    return PushedRound(queue.name, pushed, tuple(note["equal"]), tuple(note["without_answers"]))


def pull_round(
    run: Run, recipe: Recipe, argilla: Argilla, progress: Progress = silent, *, full: bool = False
) -> "HumanRound":
    """Read the votes of the round that was pushed last, and write `votes.jsonl` and `result.json` beside its items.

    Raises:
        UserError: nothing was pushed yet, or the queue is gone.
    """
    from ..evaluate.humans import evaluation_settings, measure_round, write_result
    from ..evaluate.statistics import Plan

    folder, note = current_round(run)
    items = read_items(folder / "items.jsonl")
    settings = evaluation_settings(recipe.collect, note["id"])
    queue = find_queue(argilla, settings)
    known = [item.id for item in items]
    mirror = folder / f"mirror-{queue.id}.jsonl"
    pulled = pull(argilla, queue, side_key(run), known, mirror=mirror, full=full, progress=progress)
    write_rows(folder / "votes.jsonl", pulled.votes)
    plan = Plan(recipe.evaluate.bootstrap, recipe.evaluate.confidence, recipe.evaluate.seed)
    found = measure_round(
        items,
        pulled.votes,
        queue=queue.name,
        equal=note["equal"],
        refused=note.get("refused", {}),
        min_votes=settings.min_votes,
        protocol=queue.protocol,
        plan=plan,
    )
    write_result(folder / "result.json", found)
    return found


def read_round(run: Run, adapter_sha256: str) -> "HumanRound | None":
    """Return what the last pull found of the current round; None where there is none, or it is about another model."""
    from ..evaluate.humans import read_result

    if not (humans_folder(run) / "round.json").exists():
        return None
    folder, note = current_round(run)
    pulled = folder / "result.json"
    return read_result(pulled) if note["tuned_sha256"] == adapter_sha256 and pulled.exists() else None


def humans_folder(run: Run) -> Path:
    """Return where rounds are kept."""
    return run.folder / "evaluate" / "humans"


def current_round(run: Run) -> tuple[Path, dict[str, Any]]:
    """Return the folder and the note of the round that was pushed last. Raises UserError where there is none."""
    if not (humans_folder(run) / "round.json").exists():
        raise UserError(f"{run.folder} has no evaluation by people yet; `prefloop humans push` starts one")
    folder = humans_folder(run) / read_json(humans_folder(run) / "round.json")["id"]
    return folder, read_json(folder / "round.json")


def _draw_up(run: Run) -> tuple[list[Item], dict[str, Any]]:
    """Return what people are asked about, and the note that is kept of it."""
    from ..evaluate import read_report
    from ..evaluate.humans import round_items
    from ..evaluate.measured import read_answers

    if "evaluate" not in run.costs:
        raise UserError(f"{run.folder} has no evaluation of its present adapter; `prefloop evaluate` comes first")
    report, answers = read_report(run.folder / "report.json"), read_answers(run.folder / "evaluate")
    if (report.base.sha256, report.tuned.sha256) != (answers.base_sha256, answers.adapter_sha256):
        raise UserError(f"{run.folder / 'report.json'} is not about the models whose answers are there; evaluate again")
    pairs = read_pairs(collected_file(run, "sealed_pairs.jsonl"))
    contests = _contests(pairs, answers)
    base = Origin("model", report.base.name, report.base.sha256)
    items, equal = round_items(list(contests.values()), base, Origin("model", report.tuned.name, report.tuned.sha256))
    if not items:
        raise UserError(f"both models answer all {len(equal)} sealed prompts alike; there is nothing to ask people")
    without = sorted({pair.prompt_id for pair in pairs} - contests.keys())
    note = {"id": content_hash([item.id for item in items])[:NAMES], "equal": equal, "without_answers": without}
    return items, note | {"base_sha256": report.base.sha256, "tuned_sha256": report.tuned.sha256}


def _contests(pairs: Sequence[PreferencePair], answers: "GivenAnswers") -> "dict[str, Contest]":
    """Return both answers to each sealed prompt that has them, in the order of the prompts' ids, which are hashes."""
    from ..evaluate.humans import Contest

    tags: dict[str, set[str]] = {}
    for pair in pairs:
        tags.setdefault(pair.prompt_id, set()).update(pair.tags)
    prompts = {pair.prompt_id: pair.prompt for pair in pairs}
    answered = sorted(prompts.keys() & answers.base.keys() & answers.tuned.keys())
    return {
        name: Contest(prompts[name], answers.base[name].text, answers.tuned[name].text, tuple(sorted(tags[name])))
        for name in answered
    }
