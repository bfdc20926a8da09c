"""One turn of the loop: the phases of a run, each from files to files, so that any of them can be run again alone."""

import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .collect import (
    Agreement,
    Argilla,
    Item,
    Pairs,
    PreferencePair,
    Pulled,
    Pushed,
    Queue,
    Sealed,
    agreement,
    find_queue,
    make_pairs,
    open_queue,
    open_seal,
    pull,
    push,
    queue_status,
    read_items,
    read_pairs,
    read_sealed,
    read_side_key,
    read_votes,
    refuse_sealed,
    replay,
    seal,
    split_pairs,
    write_rows,
)
from .collect.item import content_hash
from .errors import UserError
from .home import home
from .recipe import Recipe, resolved
from .runs import Progress, Run, read_json, read_lines, silent, timed, write_json

if TYPE_CHECKING:
    from .evaluate import LeftOut, Report
    from .models import ModelFolder
    from .publish import Release
    from .train import Adapter, Preflight


@dataclass(frozen=True, slots=True)
class Collected:
    """What a pull brought home."""

    pulled: Pulled
    pairs: Pairs
    agreement: Agreement
    training: tuple[PreferencePair, ...]
    sealed: tuple[PreferencePair, ...]


def connect(run: Run) -> Argilla:
    """Connect to Argilla: the one that ARGILLA_API_URL and ARGILLA_API_KEY name, else an embedded one that runs.

    Raises:
        UserError: neither is to be had, or only one of the two variables is set.
    """
    from .collect.embedded import running_server

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
        items = read_items(recipe.collect.items)
        write_rows(_collect(run, "items.jsonl"), items)
        sealed = seal(items, recipe.collect.sealed_fraction, recipe.collect.sealed_seed, _collect(run, "sealed.json"))
        queue = open_queue(argilla, recipe.collect)
        pushed = push(argilla, queue, items, _side_key(run), progress=progress)
        write_json(_collect(run, "push.json"), {"argilla": argilla.url} | asdict(queue) | asdict(pushed))
        summary.append(
            f"{pushed.added} items pushed, {pushed.already_there} already there, {len(pushed.refused)} refused, "
            f"{len(sealed.prompt_ids)} prompts sealed"
        )
    return pushed


def replay_votes(run: Run, recipe: Recipe, argilla: Argilla, progress: Progress = silent) -> int:
    """Answer the recorded votes through Argilla's API as their annotators."""
    if recipe.collect.votes is None:
        raise UserError("the recipe has no recorded votes (collect.votes); label in the browser instead")
    with timed(run, "label") as summary:
        votes = read_votes(recipe.collect.votes)
        done = replay(argilla, find_queue(argilla, recipe.collect), votes, _side_key(run), progress=progress)
        summary.append(f"{done} recorded votes of {len({vote.annotator for vote in votes})} annotators replayed")
    return done


def await_votes(
    run: Run, recipe: Recipe, argilla: Argilla, enough: int, progress: Progress = silent, *, pause: float = 2.0
) -> int:
    """Wait until people have submitted `enough` votes in the browser; asks the server every `pause` seconds."""
    with timed(run, "label") as summary:
        queue = find_queue(argilla, recipe.collect)
        wanted = min(enough, queue_status(argilla, queue).total)
        while (done := sum(queue_status(argilla, queue).submitted.values())) < wanted:
            progress(done, wanted)
            time.sleep(pause)
        progress(done, wanted)
        summary.append(f"{done} votes submitted in the browser")
    return done


def pull_votes(run: Run, recipe: Recipe, argilla: Argilla, progress: Progress = silent) -> Collected:
    """Read the votes back, measure agreement, and make the pairs."""
    with timed(run, "pull") as summary:
        items, sealed = _items(run), read_sealed(_collect(run, "sealed.json"))
        queue = find_queue(argilla, recipe.collect)
        pulled = pull(argilla, queue, _side_key(run), [item.id for item in items], progress=progress)
        pairs = make_pairs(items, pulled.votes, min_margin=recipe.collect.min_margin)
        training, held_out = split_pairs(pairs.pairs, sealed)
        collected = Collected(pulled, pairs, agreement(pulled.votes), tuple(training), tuple(held_out))
        write_rows(_collect(run, "votes.jsonl"), pulled.votes)
        write_rows(_collect(run, "pairs.jsonl"), training)
        write_rows(_collect(run, "sealed_pairs.jsonl"), held_out)
        write_json(_collect(run, "summary.json"), collection_summary(collected, queue, sealed))
        summary.append(_in_words(collected))
    return collected


def collection_summary(collected: Collected, queue: Queue, sealed: Sealed) -> dict[str, object]:
    """Return the counts that report and card are written from. No names: annotators are only counted."""
    return {
        "queue": queue.name,
        "protocol": queue.protocol,
        "items": collected.pulled.items,
        "votes": len(collected.pulled.votes),
        "statuses": collected.pulled.statuses,
        "unanswered": collected.pulled.unanswered,
        "foreign": list(collected.pulled.foreign),
        "outcomes": collected.pairs.outcomes,
        "left_out": {reason: list(ids) for reason, ids in collected.pairs.left_out.items()},
        "edits": collected.pairs.edits,
        "edits_left_out": list(collected.pairs.edits_left_out),
        "sealed_prompts": len(sealed.prompt_ids),
        "training_pairs": len(collected.training),
        "sealed_pairs": len(collected.sealed),
        "agreement": asdict(collected.agreement),
    }


def _in_words(collected: Collected) -> str:
    agreed, outcomes = collected.agreement, collected.pairs.outcomes
    decided = outcomes.get("A", 0) + outcomes.get("B", 0)
    rest = ", ".join(f"{count} {name}" for name, count in outcomes.items() if name not in ("A", "B"))
    words = [f"{len(collected.pulled.votes)} votes, {decided} items decided" + (f" ({rest})" if rest else "")]
    if agreed.pairwise is not None and agreed.pairwise_interval is not None:
        low, high = agreed.pairwise_interval
        words.append(f"two votes agree in {agreed.pairwise:.0%} ({low:.0%} to {high:.0%})")
    if agreed.alpha is not None and agreed.alpha_interval is not None:
        low, high = agreed.alpha_interval
        words.append(f"Krippendorff's alpha {agreed.alpha:.2f} ({low:.2f} to {high:.2f})")
    return "; ".join([*words, f"{len(collected.training)} training and {len(collected.sealed)} sealed pairs"])


def check_training(run: Run, recipe: Recipe) -> "Preflight":
    """Look at settings, data and tokens as the training will see them; train nothing."""
    from .models import load_tokenizer
    from .train import preflight

    return preflight(_training_pairs(run), recipe.train, load_tokenizer(_base(recipe).path))


def train_adapter(run: Run, recipe: Recipe, progress: Progress = silent) -> "Adapter":
    """Train on the pairs that a pull has made."""
    from .train import train_dpo

    with timed(run, "train") as summary:
        base = _base(recipe)
        pairs = _training_pairs(run)
        adapter = train_dpo(pairs, recipe.train, base=base, folder=run.folder / "train", progress=progress)
        summary.append(f"{len(pairs)} pairs, {base.name} from the {base.source}")
    return adapter


def evaluate_run(run: Run, recipe: Recipe, progress: Progress = silent) -> "Report":
    """Open the sealed set, compare base and tuned model on it, and write the report."""
    from .evaluate import evaluate_adapter, write_report_json

    with timed(run, "evaluate") as summary:
        adapter, base = _adapter(run), _base(recipe)
        if adapter.base_sha256 != base.sha256:
            raise UserError(f"the adapter was trained on other weights than {base.name} has now; train again")
        sealed = read_pairs(_collect(run, "sealed_pairs.jsonl"))
        settings = recipe.evaluate.model_dump(mode="json")
        reason = f"adapter {adapter.sha256[:16]} under evaluation settings {content_hash(settings)}"
        report = evaluate_adapter(
            adapter.path,
            base,
            sealed,
            recipe.evaluate,
            folder=run.folder / "evaluate",
            openings=open_seal(_collect(run, "sealed.json"), reason),
            left_out=_sealed_without_pair(run),
            progress=progress,
        )
        write_report_json(run.folder / "report.json", report)
        _write_page(run.folder / "report.html", run, report)
        summary.append(f"{report.verdict}, on {len(sealed)} sealed pairs")
    return report


def release_run(run: Run, recipe: Recipe, progress: Progress = silent) -> "Release":
    """Write the folder that would go to the Hub."""
    from .evaluate import read_report
    from .publish import Evidence, write_release

    with timed(run, "release") as summary:
        report = read_report(run.folder / "report.json")
        _write_page(run.folder / "report.html", run, report)
        if not recipe.publish.examples:
            report = replace(report, examples=())
        page = _write_page(run.folder / "evaluate" / "public.html", run, report)
        evidence = Evidence(
            recipe=resolved(recipe),
            base=_base(recipe),
            adapter=_adapter(run),
            collection=read_json(_collect(run, "summary.json")),
            items=_items(run),
            training=_training_pairs(run),
            sealed=read_pairs(_collect(run, "sealed_pairs.jsonl")),
            report=report,
        )
        release = write_release(run.folder / "release", evidence, recipe.publish, report_html=page)
        progress(1, 1)
        summary.append(f"{len(release.files)} files")
    return release


def _collect(run: Run, name: str) -> Path:
    return run.folder / "collect" / name


def _base(recipe: Recipe) -> "ModelFolder":
    from .models import resolve_model

    return resolve_model(recipe.train.base_model, revision=recipe.train.base_revision)


def _adapter(run: Run) -> "Adapter":
    from .train import read_adapter

    folder = run.folder / "train" / "adapter"
    if not folder.exists():
        raise UserError(f"{run.folder} has no adapter yet; `prefloop train` comes first")
    return read_adapter(folder)


def _sealed_without_pair(run: Run) -> "list[LeftOut]":
    from .evaluate import LeftOut

    sealed = read_sealed(_collect(run, "sealed.json"))
    held = {item.id for item in _items(run) if sealed.holds(item)}
    reasons = read_json(_collect(run, "summary.json"))["left_out"]
    found = {reason: tuple(item_id for item_id in ids if item_id in held) for reason, ids in reasons.items()}
    return [LeftOut(f"sealed items without a pair: {reason}", ids) for reason, ids in found.items() if ids]


def _write_page(path: Path, run: Run, report: "Report") -> Path:
    from .evaluate.page import write_page

    return write_page(
        path,
        report,
        metrics=read_lines(run.folder / "train" / "metrics.jsonl"),
        agreement=read_json(_collect(run, "summary.json"))["agreement"],
        costs=run.costs,
    )


def _items(run: Run) -> list[Item]:
    if not _collect(run, "items.jsonl").exists():
        raise UserError(f"{run.folder} has no items yet; `prefloop collect push` comes first")
    return read_items(_collect(run, "items.jsonl"))


def _side_key(run: Run) -> bytes:
    return read_side_key(_collect(run, "side_key"))


def _training_pairs(run: Run) -> list[PreferencePair]:
    path = _collect(run, "pairs.jsonl")
    if not path.exists():
        raise UserError(f"{run.folder} has no pairs yet; `prefloop collect pull` comes first")
    pairs = read_pairs(path)
    refuse_sealed(pairs, read_sealed(_collect(run, "sealed.json")))
    return pairs
