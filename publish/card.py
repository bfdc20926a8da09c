"""The model card: `card.md` filled in from the evidence, so that no sentence claims what no number shows."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from .. import __version__
from ..collect import Item
from ..collect.pair import TIE
from ..evaluate.estimate import Comparison, Estimate
from ..evaluate.report import Report
from ..train import Adapter
from ..train.settings import ADAPTER_ONLY
from ..train.votes.reading import vote_facts
from .evidence import Evidence
from .redact import shorten_settings
from .settings import PublishSettings
from .snippet import load_merged, load_released

PREFERS = "prefers what the annotators chose"
SHOWN_METRICS = ("loss", "rewards/accuracies", "rewards/margins")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the card's tables."""

    name: str
    of: Any
    """A Comparison or an Estimate."""
    signed: bool = False
    """Whether the number is a difference."""


def render_card(evidence: Evidence, settings: PublishSettings) -> str:
    """Return the card's text, without the metadata block."""
    import jinja2

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True)
    shapes = (bare, cell, counts, interval, number, sentence, signed)
    environment.filters |= {shape.__name__: shape for shape in shapes}
    template = environment.from_string((files("prefloop.publish") / "card.md").read_text(encoding="utf-8"))
    # Parts of the template that don't apply leave their blank lines behind.
    return re.sub(r"\n{3,}", "\n\n", template.render(_facts(evidence, settings))).strip() + "\n"


def comparisons(report: Report) -> list[Row]:
    """Return every measurement made on base and tuned model alike."""
    preference = report.preference
    rows = [
        Row(f"{PREFERS}, by log-probability per token", preference.normalised),
        Row(f"{PREFERS}, by summed log-probability (favours short answers)", preference.summed),
    ]
    if preference.matched is not None:
        within = f"{preference.matched_within:.0%}"
        rows.append(Row(f"{PREFERS}, per token, where lengths differ by at most {within}", preference.matched))
    rows += [Row(f"{PREFERS}, per token, on `{part.tag}`", part.accuracy) for part in preference.slices]
    if report.check is not None:
        rows += [Row(_criterion(part.name), part.rate) for part in report.check.criteria]
    if report.general is not None:
        rows.append(Row(f"something else: answers questions right in `{report.general.data}`", report.general.accuracy))
    return rows


def estimates(report: Report) -> list[Row]:
    """Return every number that has no counterpart for the base model."""
    preference = report.preference
    rows = [
        Row(f"{PREFERS}, by DPO's reward against the base", preference.reward),
        Row("picking the longer answer gets right", preference.longer),
        Row("picking the shorter answer gets right", preference.shorter),
        Row(f"tuned model minus always picking the {preference.best_rule}", preference.over_rule, signed=True),
        Row("one annotator is expected to get right", preference.ceiling),
        Row("length of its answers minus the base's, in tokens", report.lengths.difference, signed=True),
    ]
    if (won := report.win_rate) is not None:
        name = (
            f"wins against the base, by {won.judge} ({won.wins} won, {won.ties} tied, {won.losses} lost, "
            f"{won.unscored} unscored; a tie counts half)"
        )
        rows.append(Row(name, won.rate))
    return rows


def number(value: float) -> str:
    """Show three decimals, fewer for large numbers."""
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def bare(estimate: Estimate) -> str:
    """Show a number with its interval."""
    return f"{number(estimate.value)}{interval((estimate.low, estimate.high))}"


def signed(estimate: Estimate) -> str:
    """Show a difference with its sign and its interval."""
    low, high = f"{number(estimate.low)}", f"{number(estimate.high)}"
    return f"{'+' if estimate.value > 0 else ''}{number(estimate.value)} ({low} to {high})"


def interval(ends: tuple[float, float] | list[float] | None) -> str:
    """Show an interval in brackets, with a space before it; nothing where there is none."""
    return f" ({number(ends[0])} to {number(ends[1])})" if ends else ""


def counts(values: Mapping[str, object]) -> str:
    """Show names with their numbers, in one line."""
    return ", ".join(f"{name} {value}" for name, value in values.items())


def cell(text: object) -> str:
    """Keep a text within its cell of a Markdown table."""
    return " ".join(str(text).split()).replace("|", "\\|")


def sentence(text: str) -> str:
    """Start with a capital and leave the rest as it is."""
    return text[:1].upper() + text[1:]


def _criterion(name: str) -> str:
    meaning = {
        "shape": "answers have the form asked for",
        "label": "answers give a right label",
        "length": "answers are within the length asked for",
        "finished": "answers end by themselves",
        "all": "answers do the job as told, all of it",
    }
    return meaning[name]


def _facts(evidence: Evidence, settings: PublishSettings) -> dict[str, Any]:
    report, recipe, rows = evidence.report, evidence.recipe, comparisons(evidence.report)
    confidence = float(report.how.settings["confidence"])
    return {
        "name": settings.repo or recipe["name"],
        "task": str(recipe["task"]).strip(),
        "version": __version__,
        "report": report,
        "recipe": recipe,
        "settings": settings,
        "base": evidence.base,
        "base_name": evidence.base_name,
        "base_link": _base_link(evidence),
        "comparisons": rows,
        "estimates": estimates(report),
        "worse": [row for row in rows if row.of.verdict == "worse"],
        "unclear": [row for row in rows if row.of.verdict not in ("better", "worse")],
        "confidence": f"{confidence:.0%}",
        "methods": sorted({re.sub(r"\d+ ", "", method) for method in _methods(report)}),
        "limits": settings.limits,
        "training_pairs": sum(pair.kind != TIE for pair in evidence.training),
        "sealed_pairs": len(evidence.sealed),
        "training_lines": list(_training_lines(evidence)),
        "training_settings": list(_training_settings(evidence)),
        "whole": evidence.adapter.whole,
        "snippet": load_released(evidence, settings),
        "merged_snippet": load_merged(evidence, settings),
        **_data(evidence),
    }


def _base_link(evidence: Evidence) -> str:
    return (
        "#base-model-and-licence"
        if evidence.base.source == "folder"
        else f"https://huggingface.co/{evidence.base.name}"
    )


def _data(evidence: Evidence) -> dict[str, Any]:
    collection = evidence.collection
    return {
        "collection": collection,
        "agreement": collection["agreement"],
        "left_out": {reason: len(ids) for reason, ids in collection["left_out"].items()},
        "origins": _origins(evidence.items),
        "votes_sentence": _votes_sentence(evidence),
    }


def _votes_sentence(evidence: Evidence) -> str:
    if evidence.recipe["collect"]["votes"] is None:
        return (
            "People compared two answers at a time in Argilla, not knowing who wrote which; which one stood first was "
            "drawn for each item."
        )
    return (
        "The choices had been recorded before the run and were replayed through Argilla as their annotators' answers; "
        "nobody was asked anew."
    )


def _origins(items: Sequence[Item]) -> dict[str, int]:
    """Count candidate answers by who wrote them."""
    origins = (candidate.origin for item in items for candidate in item.candidates)
    return dict(Counter(f"{origin.kind} `{origin.name}`" for origin in origins).most_common())


def _methods(report: Report) -> Iterator[str]:
    for row in comparisons(report):
        compared: Comparison = row.of
        yield from (part.method for part in (compared.base, compared.tuned, compared.difference))
    yield from (row.of.method for row in estimates(report))


def _training_lines(evidence: Evidence) -> Iterator[str]:
    adapter = evidence.adapter
    given = len(evidence.training)
    refused = f" of {given}; the training's look at the data refused the others" if adapter.pairs != given else ""
    yield f"{adapter.pairs} pairs{refused}; {adapter.steps} optimiser steps"
    if votes := vote_facts(evidence.training, adapter.settings).rows:
        yield "what the loss made of the votes: " + "; ".join(f"{name} {value}" for name, value in votes)
    yield from _lineage(adapter)
    yield f"{adapter.seconds / 60:.1f} minutes of wall-clock time, {adapter.pairs_per_second} pairs a second"
    metrics = ", ".join(f"{name} {value:.3f}" for name, value in adapter.metrics.items() if name in SHOWN_METRICS)
    yield f"means over the last epoch, on the training pairs themselves and so no evidence of quality: {metrics}"
    yield f"made with {counts(adapter.versions)}"


def _lineage(adapter: Adapter) -> Iterator[str]:
    if adapter.base_adapter_sha256:
        yield f"it went on from another adapter ({adapter.base_adapter_sha256[:16]}), which is its reference"
    if adapter.settings.sft:
        named = adapter.sft_data_sha256
        learned = f"demonstrations ({named[:16]})" if named else "the chosen answers"
        yield f"a supervised stage on {learned} came first, and its result is the reference"
    if adapter.chat_template_sha256:
        yield f"conversations are rendered by a chat template of the recipe's ({adapter.chat_template_sha256[:16]})"


def _training_settings(evidence: Evidence) -> Iterator[tuple[str, str]]:
    for name, value in shorten_settings(evidence.recipe["train"]).items():
        if value is not None and not (evidence.adapter.whole and name in ADAPTER_ONLY):
            yield name, _setting(value)


def _setting(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_setting(inner)}" for key, inner in value.items() if inner is not None) or "none"
    return ", ".join(map(str, value)) or "none" if isinstance(value, list | tuple) else str(value)
