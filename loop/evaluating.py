"""Judging what was trained."""

from typing import TYPE_CHECKING

from ..collect import open_seal, read_openings, read_pairs, read_sealed
from ..collect.item import content_hash
from ..errors import UserError
from ..recipe import Recipe
from ..runs import Progress, Run, read_json, silent, timed
from .decontaminating import training_rows
from .folder import base_model, collected_file, read_run_items, run_adapter
from .lineage import earlier_rounds
from .reporting import GATE, write_report

if TYPE_CHECKING:
    from ..evaluate import LeftOut, Report

ELSEWHERE = {"tasks", "formats", "mt_bench", "audit", "gate"}
"""Settings that show nothing new of the sealed set."""


def evaluate_run(run: Run, recipe: Recipe, progress: Progress = silent) -> "Report":
    """Open the sealed set, compare base and tuned model on it, and write the report."""
    from ..evaluate import check_benchmarks, evaluate_adapter, open_trained

    with timed(run, "evaluate") as summary:
        adapter, base = run_adapter(run), base_model(recipe)
        if adapter.base_sha256 != base.sha256:
            raise UserError(f"the adapter was trained on other weights than {base.name} has now; train again")
        sealed = read_pairs(collected_file(run, "sealed_pairs.jsonl"))
        folder = run.folder / "evaluate"
        subject = open_trained(base, adapter.path)
        check_benchmarks(subject, recipe.evaluate, folder)
        settings = recipe.evaluate.model_dump(mode="json", exclude=ELSEWHERE)
        shown = content_hash([pair.id for pair in sealed])  # new votes on sealed prompts show something new
        reason = f"adapter {adapter.sha256[:16]} on pairs {shown} under evaluation settings {content_hash(settings)}"
        earlier = earlier_rounds(recipe)
        report = evaluate_adapter(
            subject,
            sealed,
            recipe.evaluate,
            folder=folder,
            training=[*training_rows(run, recipe), *earlier.pairs],
            unseen=earlier.unseen,
            openings=open_seal(collected_file(run, "sealed.json"), reason),
            left_out=_sealed_without_pair(run),
            progress=progress,
        )
        (run.folder / GATE).unlink(missing_ok=True)  # it judged the report before
        report = write_report(run, report)
        summary.append(f"{report.verdict}, on {len(sealed)} sealed pairs")
    return report


def forecast_run(run: Run, recipe: Recipe) -> str:
    """Say what the sealed pairs can show, before they are opened. Raises UserError where nothing was trained yet."""
    from ..evaluate.forecast import forecast

    run_adapter(run)
    return forecast(read_pairs(collected_file(run, "sealed_pairs.jsonl")), recipe.evaluate.confidence)


def seal_status(run: Run) -> dict[str, object]:
    """Return how many prompts are sealed, how often they were opened, and when and why the last time."""
    path = collected_file(run, "sealed.json")
    openings = read_openings(path)
    sealed = len(read_sealed(path).prompt_ids) if path.exists() else 0
    status: dict[str, object] = {"prompts": sealed, "openings": len(openings)}
    if openings:
        status["last opened"] = f"{openings[-1]['at']} for {openings[-1]['reason']}"
    return status


def _sealed_without_pair(run: Run) -> "list[LeftOut]":
    from ..evaluate import LeftOut

    sealed = read_sealed(collected_file(run, "sealed.json"))
    held = {item.id for item in read_run_items(run) if sealed.holds(item)}
    reasons = read_json(collected_file(run, "summary.json"))["left_out"]
    found = {reason: tuple(item_id for item_id in ids if item_id in held) for reason, ids in reasons.items()}
    return [LeftOut(f"sealed items without a pair: {reason}", ids) for reason, ids in found.items() if ids]
