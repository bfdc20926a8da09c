"""The model card: `card.md` filled in from the evidence, so that no sentence claims what no number shows."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from ... import __version__
from ...collect import Item
from ...collect.pair import TIE
from ...evaluate import Report
from ...evaluate.gates import GateResult
from ...evaluate.gates import headline as gate_headline
from ...runs import write_text
from ...train import Adapter
from ...train.settings import ADAPTER_ONLY
from ...train.votes.reading import vote_facts
from ..engines.serving import serving_snippets
from ..evidence import Evidence
from ..licences import BUILT_WITH, duties
from ..redact import shorten_settings
from ..settings import PublishSettings
from .citations import citations
from .findings import contaminated, findings, losses
from .measured import bare, by_tag, comparisons, estimates, interval, methods, number, signed
from .metadata import metadata
from .pictures import RESULTS, pictures, write_pictures

SHOWN_METRICS = ("loss", "rewards/accuracies", "rewards/margins")
SHOWN_EXAMPLES = 2
"""The first of the report's, so that nobody picks the best."""


def write_card(folder: Path, evidence: Evidence, settings: PublishSettings) -> Path:
    """Write README.md, metadata block and all, with its pictures beside it."""
    write_pictures(folder, evidence.report, evidence.metrics)
    return write_text(
        folder / "README.md", f"---\n{metadata(evidence, settings)}\n---\n\n{render_card(evidence, settings)}"
    )


def render_card(evidence: Evidence, settings: PublishSettings) -> str:
    """Return the card's text, without the metadata block."""
    return _render("card.md", _facts(evidence, settings))


def render_results(report: Report, gate: GateResult | None) -> str:
    """Return the sections on results, losses and contamination: all that follows from the report and the gate alone."""
    rows = [*comparisons(report), *by_tag(report)]
    facts = {
        "report": report,
        "gate": gate,
        "gate_headline": gate_headline(gate) if gate else "",
        "confidence": f"{float(report.how.settings['confidence']):.0%}",
        "comparisons": comparisons(report),
        "by_tag": by_tag(report),
        "estimates": estimates(report),
        "worse": [row for row in rows if row.of.verdict == "worse"],
        "unclear": [row for row in rows if row.of.verdict not in ("better", "worse")],
        "methods": methods(report),
        "findings": findings(report),
        "losses": losses(report),
        "contaminated": contaminated(report),
    }
    return _render("results.md", facts)


def render_collection(collection: Mapping[str, Any]) -> str:
    """Return the rows on votes, outcomes and agreement: all that follows from the run's summary of them."""
    left_out = {reason: len(ids) for reason, ids in collection["left_out"].items()}
    facts = {"collection": collection, "agreement": collection["agreement"], "left_out": left_out}
    return _render("collection.md", facts)


def time_lines(record: Mapping[str, Any]) -> list[str]:
    """Return what the training's record says of its time and its metrics."""
    where = f" on {record['hardware']}" if record.get("hardware") else "; the hardware is not on record"
    metrics = ", ".join(f"{name} {value:.3f}" for name, value in record["metrics"].items() if name in SHOWN_METRICS)
    return [
        f"{record['seconds'] / 60:.1f} minutes of wall-clock time, {record['pairs_per_second']} pairs a second{where}",
        f"energy and cost were not metered; seed {record['settings']['seed']}",
        f"means over the last epoch, on the training pairs themselves and so no evidence of quality: {metrics}",
        f"made with {counts(record['versions'])}",
    ]


def _render(name: str, facts: Mapping[str, Any]) -> str:
    import jinja2

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True)
    shapes = (bare, cell, counts, fenced, interval, number, sentence, signed)
    environment.filters |= {shape.__name__: shape for shape in shapes}
    template = environment.from_string((files("prefloop.publish.card") / name).read_text(encoding="utf-8"))
    # Parts of the template that don't apply leave their blank lines behind.
    return re.sub(r"\n{3,}", "\n\n", template.render(facts)).strip() + "\n"


def counts(values: Mapping[str, object]) -> str:
    """Show names with their numbers, in one line."""
    return ", ".join(f"{name} {value}" for name, value in values.items())


def cell(text: object) -> str:
    """Keep a text within its cell of a Markdown table."""
    return " ".join(str(text).split()).replace("|", "\\|")


def fenced(text: str) -> str:
    """Keep a text within its fence of four tildes."""
    return text.replace("~~~~", "~~~")


def sentence(text: str) -> str:
    """Start with a capital and leave the rest as it is."""
    return text[:1].upper() + text[1:]


def _facts(evidence: Evidence, settings: PublishSettings) -> dict[str, Any]:
    report, recipe = evidence.report, evidence.recipe
    return {
        "name": settings.repo or recipe["name"],
        "task": _task(str(recipe["task"])),
        "version": __version__,
        "report": report,
        "recipe": recipe,
        "settings": settings,
        "base": evidence.base,
        "base_name": evidence.base_name,
        "base_link": _base_link(evidence),
        "shown": report.examples[:SHOWN_EXAMPLES],
        "limits": settings.limits,
        "results": render_results(report, evidence.gate),
        "licence_lines": duties(settings.base_license),
        "built_with": BUILT_WITH.get(settings.base_license or ""),
        "whole": evidence.adapter.whole,
        "went_on": evidence.adapter.base_adapter_sha256 is not None,
        "snippets": serving_snippets(evidence, settings),
        "citations": citations(evidence.base_name, whole=evidence.adapter.whole),
        **_data(evidence),
        **_training(evidence),
    }


def _task(words: str) -> str:
    """Make a sentence of it, on one line."""
    task = " ".join(words.split())
    return task if task.endswith((".", "!", "?")) else f"{task}."


def _base_link(evidence: Evidence) -> str:
    return (
        "#base-model-and-licence"
        if evidence.base.source == "folder"
        else f"https://huggingface.co/{evidence.base.name}"
    )


def _data(evidence: Evidence) -> dict[str, Any]:
    return {
        "collected": render_collection(evidence.collection).rstrip(),
        "origins": _origins(evidence.items),
        "votes_sentence": _votes_sentence(evidence),
        "data": evidence.data,
        "training_pairs": sum(pair.kind != TIE for pair in evidence.training),
        "sealed_pairs": len(evidence.sealed),
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


def _training(evidence: Evidence) -> dict[str, Any]:
    found = {picture.path: picture for picture in pictures(evidence.report, evidence.metrics)}
    return {
        "results_picture": found.pop(RESULTS),
        "training_picture": next(iter(found.values()), None),
        "training_lines": list(_training_lines(evidence)),
        "training_settings": setting_rows(evidence.recipe["train"], whole=evidence.adapter.whole),
    }


def _training_lines(evidence: Evidence) -> Iterator[str]:
    adapter = evidence.adapter
    given = len(evidence.training)
    refused = f" of {given}; the training's look at the data refused the others" if adapter.pairs != given else ""
    yield f"{adapter.pairs} pairs{refused}; {adapter.steps} optimiser steps"
    if votes := vote_facts(evidence.training, adapter.settings).rows:
        yield "what the loss made of the votes: " + "; ".join(f"{name} {value}" for name, value in votes)
    yield from _lineage(adapter)
    yield from time_lines(asdict(adapter) | {"settings": adapter.settings.model_dump(mode="json")})


def _lineage(adapter: Adapter) -> Iterator[str]:
    if adapter.base_adapter_sha256:
        before = adapter.base_adapter_sha256[:16]
        yield f"it went on from another adapter ({before}), which is its reference, and what its results call the base"
    if adapter.settings.sft:
        named = adapter.sft_data_sha256
        learned = f"demonstrations ({named[:16]})" if named else "the chosen answers"
        yield f"a supervised stage on {learned} came first, and its result is the reference"
    if adapter.chat_template_sha256:
        yield f"conversations are rendered by a chat template of the recipe's ({adapter.chat_template_sha256[:16]})"


def setting_rows(train: Mapping[str, Any], *, whole: bool) -> list[tuple[str, str]]:
    """Return the training's settings that were given or have a default, each with its value in words."""
    return [
        (name, _setting(value))
        for name, value in shorten_settings(train).items()
        if value is not None and not (whole and name in ADAPTER_ONLY)
    ]


def _setting(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_setting(inner)}" for key, inner in value.items() if inner is not None) or "none"
    return ", ".join(map(str, value)) or "none" if isinstance(value, list | tuple) else str(value)
