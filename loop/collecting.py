"""Collecting: items into Argilla, votes and pairs out of it."""

import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..collect import (
    Agreement,
    Argilla,
    Item,
    Pairs,
    PreferencePair,
    Pulled,
    Pushed,
    Sealed,
    agreement,
    make_pairs,
    originals,
    pairwise,
    read_items,
    read_sealed,
    read_votes,
    seal,
    share_out,
    split_pairs,
    write_rows,
)
from ..collect.sampling.arms import arms
from ..collect.sealing.contamination import item_texts
from ..collect.sealing.personal import vote_texts
from ..errors import UserError
from ..home import home
from ..recipe import Recipe
from ..runs import Progress, Run, read_json, silent, timed, write_json
from .decontaminating import clean_items, clean_pairs, clean_ties
from .folder import collected_file, read_run_items, side_key
from .judging import adjudications, gold_answers, pull_adjudications
from .privacy import look_for_personal
from .queues import plan_queues, pull_queues, push_queues, queues_status, queues_summary, replay_queues, run_shares
from .suggesting import effect_of_suggestions


@dataclass(frozen=True, slots=True)
class Collected:
    """What a pull brought home."""

    pulled: Pulled
    pairs: Pairs
    agreement: Agreement
    training: tuple[PreferencePair, ...]
    sealed: tuple[PreferencePair, ...]
    ties: tuple[PreferencePair, ...]
    """Training's tied rows; those with sealed prompts stay among the votes."""


def connect(run: Run) -> Argilla:
    """Connect to Argilla: the one that ARGILLA_API_URL and ARGILLA_API_KEY name, else an embedded one that runs.

    Raises:
        UserError: neither is to be had, or only one of the two variables is set.
    """
    from ..collect.embedded import running_server

    url, key = os.environ.get("ARGILLA_API_URL"), os.environ.get("ARGILLA_API_KEY")
    if url and key:
        return Argilla(url, key)
    if url or key:  # half a setting must not end at another server
        missing = "ARGILLA_API_KEY" if url else "ARGILLA_API_URL"
        raise UserError(f"{missing} is not set, the other one is; set both, or neither for the embedded server")
    for folder in (run.folder / "argilla", home() / "argilla"):
        if server := running_server(folder):
            return Argilla(server.url, server.api_key)
    raise UserError(
        "no Argilla to talk to: set ARGILLA_API_URL and ARGILLA_API_KEY, "
        "or start the embedded one (`prefloop server start`)"
    )


def push_items(run: Run, recipe: Recipe, argilla: Argilla, progress: Progress = silent) -> Pushed:
    """Set prompts apart, then show the items in Argilla."""
    with timed(run, "push") as summary:
        items, sealed = set_apart(run, recipe)
        pushed, opened = push_queues(run, argilla, recipe, items, progress)
        pushed = replace(pushed, notes=plan_queues(argilla, opened))
        queues = [asdict(one.queue) | {"form": one.queue.form.model_dump(mode="json")} for one in opened]
        write_json(collected_file(run, "push.json"), {"argilla": argilla.url, "queues": queues} | asdict(pushed))
        summary.append(
            f"{pushed.added} items pushed, {pushed.already_there} already there, {len(pushed.refused)} refused, "
            f"{len(sealed.prompt_ids)} of {len(sealed.prompts)} prompts sealed"
        )
    return pushed


def set_apart(run: Run, recipe: Recipe) -> tuple[list[Item], Sealed]:
    """Copy the recipe's items into the run and seal prompts: whatever comes of the items comes after this.

    Raises:
        UserError: the items can't be read, or people have seen them and the record of what was sealed is gone.
        Problems: items stand in the evaluation data, or hold personal data, and the recipe says to block.
    """
    _refuse_a_second_draw(run)
    items = clean_items(run, recipe, read_items(recipe.collect.items))
    look_for_personal(run, recipe, "items", item_texts(items))
    write_rows(collected_file(run, "items.jsonl"), items)
    _keep_source(run, recipe.collect.items.with_name("source.json"))
    path = collected_file(run, "sealed.json")
    return items, seal(items, recipe.collect.sealed_fraction, recipe.collect.sealed_seed, path)


def _keep_source(run: Run, path: Path) -> None:
    """Copy where imported items came from, for lineage and cards; forget what an earlier push of others said."""
    collected_file(run, "source.json").unlink(missing_ok=True)
    if path.exists():
        write_json(collected_file(run, "source.json"), read_json(path))


def _refuse_a_second_draw(run: Run) -> None:
    """Stop where prompts would be sealed anew although people may have labelled them."""
    if collected_file(run, "push.json").exists() and not collected_file(run, "sealed.json").exists():
        raise UserError(
            f"{collected_file(run, 'sealed.json')} is gone, and the queue has been shown to annotators: a new draw "
            "would seal prompts that were labelled already; restore the file, or start a new run"
        )


def replay_votes(run: Run, recipe: Recipe, argilla: Argilla, progress: Progress = silent) -> int:
    """Answer the recorded votes through Argilla's API as their annotators."""
    if recipe.collect.votes is None:
        raise UserError("the recipe has no recorded votes (collect.votes); label in the browser instead")
    with timed(run, "label") as summary:
        votes = read_votes(recipe.collect.votes)
        done = replay_queues(argilla, run_shares(run, recipe), votes, side_key(run), progress)
        summary.append(f"{done} recorded votes of {len({vote.annotator for vote in votes})} annotators replayed")
    return done


def await_votes(
    run: Run, recipe: Recipe, argilla: Argilla, enough: int, progress: Progress = silent, *, pause: float = 2.0
) -> int:
    """Wait until people have submitted `enough` votes in the browser; asks the server every `pause` seconds."""
    with timed(run, "label") as summary:
        wanted = min(enough, sum(status.total for _, status in queues_status(argilla, recipe)))
        while (done := _submitted(argilla, recipe)) < wanted:
            progress(done, wanted)
            time.sleep(pause)
        progress(done, wanted)
        summary.append(f"{done} votes submitted in the browser")
    return done


def _submitted(argilla: Argilla, recipe: Recipe) -> int:
    return sum(sum(status.submitted.values()) for _, status in queues_status(argilla, recipe))


def pull_votes(
    run: Run, recipe: Recipe, argilla: Argilla, progress: Progress = silent, *, full: bool = False
) -> Collected:
    """Read the votes back (only what changed, unless `full`), measure agreement, and make the pairs."""
    with timed(run, "pull") as summary:
        items, sealed = read_run_items(run), read_sealed(collected_file(run, "sealed.json"))
        shares = share_out(recipe.collect, items)
        pulled, opened = pull_queues(run, argilla, shares, progress, full=full)
        write_json(collected_file(run, "queues.json"), queues_summary(shares, opened, pulled))
        pull_adjudications(run, recipe, argilla)
        main = opened[0].queue
        collected = keep(run, recipe, items, pulled, sealed, queue=main.name, protocol=main.protocol)
        summary.append(in_words(collected))
    return collected


def keep(
    run: Run, recipe: Recipe, items: Sequence[Item], pulled: Pulled, sealed: Sealed, *, queue: str, protocol: str
) -> Collected:
    """Make the pairs of votes, however they came here, and write all of it into the run."""
    compared, votes = pairwise(items, pulled.votes)
    pairs = make_pairs(
        compared,
        votes,
        recipe.collect.pairs,
        adjudications=pairwise(items, adjudications(run))[1],
        gold=set(gold_answers(recipe.collect)),
    )
    write_rows(collected_file(run, "votes.jsonl"), pulled.votes)  # they are safe whatever becomes of the pairs
    training, held_out = split_pairs(pairs.pairs, sealed)
    training = clean_pairs(run, recipe, training, sealed)
    ties = clean_ties(run, recipe, split_pairs(pairs.ties, sealed)[0], sealed)
    look_for_personal(run, recipe, "votes", vote_texts([*pulled.votes, *adjudications(run)]))
    agreed = agreement(votes, clusters=originals(items))
    collected = Collected(pulled, pairs, agreed, tuple(training), tuple(held_out), tuple(ties))
    write_rows(collected_file(run, "pairs.jsonl"), training)
    write_rows(collected_file(run, "ties.jsonl"), ties)
    write_rows(collected_file(run, "sealed_pairs.jsonl"), held_out)
    summary = collection_summary(collected, sealed, queue=queue, protocol=protocol)
    summary |= {"policy": recipe.collect.pairs.model_dump(mode="json")}
    summary |= {"adjudicated": [asdict(row) for row in pairs.adjudicated]}
    summary |= {"suggestion_effect": effect_of_suggestions(run, pulled.votes)}
    summary |= {"arms": [asdict(arm) for arm in arms(compared, votes, pairs.left_out)]}
    write_json(collected_file(run, "summary.json"), summary)
    return collected


def collection_summary(collected: Collected, sealed: Sealed, *, queue: str, protocol: str) -> dict[str, object]:
    """Return the counts that report and card are written from. No names: annotators are only counted."""
    return {
        "queue": queue,
        "protocol": protocol,
        "items": collected.pulled.items,
        "votes": len(collected.pulled.votes),
        "statuses": collected.pulled.statuses,
        "unanswered": collected.pulled.unanswered,
        "foreign": list(collected.pulled.foreign),
        "outcomes": collected.pairs.outcomes,
        "left_out": {reason: list(ids) for reason, ids in collected.pairs.left_out.items()},
        "ties": {
            "training": len(collected.ties),
            "sealed or near": len(collected.pairs.ties) - len(collected.ties),
            "left_out": {reason: list(ids) for reason, ids in collected.pairs.ties_left_out.items()},
        },
        "edits": collected.pairs.edits,
        "edits_left_out": list(collected.pairs.edits_left_out),
        "sealed_prompts": len(sealed.prompt_ids),
        "prompts_on_no_side": sorted(sealed.of("neither")),
        "pairs_not_used": _not_used(collected),
        "training_pairs": len(collected.training),
        "sealed_pairs": len(collected.sealed),
        "agreement": asdict(collected.agreement),
    }


def _not_used(collected: Collected) -> list[str]:
    """Name the pairs that are neither trained nor measured on.

    Edits of sealed answers, prompts near both sides, and what stands in evaluation data (`contamination.json`).
    """
    used = {pair.id for pair in (*collected.training, *collected.sealed)}
    return sorted({pair.id for pair in collected.pairs.pairs} - used)


def in_words(collected: Collected) -> str:
    """Say in one line what came of the votes."""
    agreed, outcomes = collected.agreement, collected.pairs.outcomes
    decided = outcomes.get("A", 0) + outcomes.get("B", 0)
    rest = ", ".join(f"{count} {name}" for name, count in outcomes.items() if name not in ("A", "B"))
    words = [f"{len(collected.pulled.votes)} votes, {decided} items decided" + (f" ({rest})" if rest else "")]
    if collected.pulled.incremental:
        words.append(f"{collected.pulled.responses_read} of the votes read, the others had not changed")
    elif collected.pulled.incremental is None:
        words.append("all votes read, as a stock Argilla cannot tell what changed")
    if agreed.pairwise is not None and agreed.pairwise_interval is not None:
        low, high = agreed.pairwise_interval
        words.append(f"two votes agree in {agreed.pairwise:.0%} ({low:.0%} to {high:.0%})")
    if agreed.alpha is not None and agreed.alpha_interval is not None:
        low, high = agreed.alpha_interval
        words.append(f"Krippendorff's alpha {agreed.alpha:.2f} ({low:.2f} to {high:.2f})")
    return "; ".join([*words, f"{len(collected.training)} training and {len(collected.sealed)} sealed pairs"])
