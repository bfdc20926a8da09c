"""The card's metadata block and the `.eval_results` entries: the report's numbers in the Hub's own two formats.

Beside the Hub's own keys the block has one of prefloop's, so that a listing of repositories already shows the evidence:

    prefloop:
      version: 0.1.0                    # of prefloop
      task: Drafts the first reply …    # the recipe's words, on one line
      base_sha256: c83de446…            # the base's fingerprint, 64 digits
      parameters: 134515008             # of the whole model; the key is missing where it isn't known
      verdict: better                   # or `worse`, or `can't tell yet`: tuned against base
      confidence: 0.95                  # of the intervals here
      headline:                         # the tuned model's share, in [0, 1]
        name: preference accuracy per token
        value: 0.7097
        low: 0.6032
        high: 0.8103
        n: 62                           # sealed pairs
      difference:                       # tuned minus base, of the same
        value: 0.5161
        low: 0.3846
        high: 0.6393
        n: 62
      results:                          # every number of `model-index`, with `headline`'s keys and a `task` each
      - task: sealed_preference         # or `sealed_preference_reward`, `task_check`, `win_rate`, `general`
        name: preference accuracy per token
        value: 0.7097
        low: 0.6032
        high: 0.8103
        n: 62
      contamination:                    # missing where nobody looked
        items: 88                       # evaluation items that were looked for in the training data
        overlapping: 0                  # those that it holds

Numbers have six decimals. The Hub keeps keys that it doesn't know as they are.
"""

from dataclasses import dataclass
from typing import Any

from ... import __version__
from ...evaluate.contamination import Contamination
from ...evaluate.estimate import Estimate
from ...evaluate.parts import General
from ...evaluate.report import Report
from ...evaluate.standings.size import parameters
from ..evidence import Evidence
from ..settings import PublishSettings

TAGS = ("prefloop", "dpo", "trl", "lora", "preference", "argilla")
DIGITS = 6
"""Decimals of a number in metadata: more than are ever shown, so that shown numbers are rounded once."""


@dataclass(frozen=True, slots=True)
class Result:
    """One number of the tuned model, for the Hub."""

    task: str
    """An identifier, `sealed_preference`."""
    metric: str
    name: str
    of: Estimate


def results(report: Report) -> list[Result]:
    """Return the headline numbers of the tuned model."""
    preference, found = report.preference, []
    found.append(Result("sealed_preference", "accuracy", "preference accuracy per token", preference.normalised.tuned))
    found.append(Result("sealed_preference_reward", "accuracy", "DPO reward accuracy", preference.reward))
    if report.check is not None:
        found.append(
            Result("task_check", "accuracy", "answers that do the job as told", report.check.criteria[-1].rate.tuned)
        )
    if report.win_rate is not None:
        found.append(
            Result("win_rate", "win_rate", f"wins against the base, by {report.win_rate.judge}", report.win_rate.rate)
        )
    if report.general is not None:
        found.append(
            Result("general", "accuracy", f"questions right in {report.general.data}", report.general.accuracy.tuned)
        )
    return found


def metadata(evidence: Evidence, settings: PublishSettings) -> str:
    """Return the YAML that stands between the card's `---` lines."""
    from huggingface_hub import EvalResult, ModelCardData

    report, name = evidence.report, settings.repo or str(evidence.recipe["name"])
    found = [
        EvalResult(
            task_type="text-generation",
            dataset_type=data_id(evidence, result),
            dataset_name=f"{_data_name(evidence, result)}, n = {result.of.n}",
            metric_type=result.metric,
            metric_name=f"{result.name}, {interval_note(report, result.of)}",
            metric_value=round(result.of.value, DIGITS),
        )
        for result in results(report)
    ]
    data = ModelCardData(
        base_model=evidence.base_name,
        base_model_relation="finetune" if evidence.adapter.whole else "adapter",
        library_name="transformers" if evidence.adapter.whole else "peft",
        pipeline_tag="text-generation",
        license=settings.license,
        license_name=settings.license_name,
        license_link=settings.license_link,
        datasets=[evidence.data.repo] if evidence.data else None,
        language=list(settings.languages) or None,
        tags=[*(tag for tag in TAGS if tag != "lora" or not evidence.adapter.whole), *settings.tags],
        model_name=name,
        eval_results=found,
        prefloop=summary(evidence),
    )
    return str(data.to_yaml()).strip()


def summary(evidence: Evidence) -> dict[str, Any]:
    """Return prefloop's own key of the metadata block; its shape is told above."""
    size = parameters(str(evidence.base.path)) or parameters(evidence.base_name)
    return {
        "version": __version__,
        "task": " ".join(str(evidence.recipe["task"]).split()),
        "base_sha256": evidence.base.sha256,
        **({"parameters": size} if size else {}),
        **results_block(evidence.report),
    }


def results_block(report: Report) -> dict[str, Any]:
    """Return the part of it that follows from the report alone."""
    found = results(report)
    return {
        "verdict": report.verdict,
        "confidence": float(report.how.settings["confidence"]),
        "headline": {"name": found[0].name, **_numbers(found[0].of)},
        "difference": _numbers(report.preference.normalised.difference),
        "results": [{"task": result.task, "name": result.name, **_numbers(result.of)} for result in found],
        **({"contamination": _overlap(report.contamination)} if report.contamination else {}),
    }


def _overlap(found: Contamination) -> dict[str, int]:
    return {"items": sum(one.items for one in found.benchmarks), "overlapping": found.overlapping}


def _numbers(estimate: Estimate) -> dict[str, float | int]:
    ends = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return {name: round(number, DIGITS) for name, number in ends.items()} | {"n": estimate.n}


def eval_results(evidence: Evidence) -> str:
    """Return the content of `.eval_results/*.yaml`. The data are private to the project, and each entry says so."""
    import yaml
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    report = evidence.report
    entries = [
        EvalResultEntry(
            dataset_id=data_id(evidence, result),
            task_id=result.task,
            value=round(result.of.value, DIGITS),
            date=report.how.created,
            notes=(
                f"{result.name}; {interval_note(report, result.of)}; n = {result.of.n}; {result.of.method}; "
                f"{_data_name(evidence, result)}, not a data set on the Hub"
            ),
        )
        for result in results(report)
    ]
    return str(yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False, allow_unicode=True))


def data_id(evidence: Evidence, result: Result) -> str:
    """Name the data as the Hub's formats ask for; `local/` because it stays with the project."""
    kind = "general" if result.task == "general" else "sealed"
    return f"local/{evidence.recipe['name']}-{kind}"


def interval_note(report: Report, estimate: Estimate) -> str:
    """Return the interval in words."""
    confidence = float(report.how.settings["confidence"])
    return f"{confidence:.0%} interval {estimate.low:.3f} to {estimate.high:.3f}"


def _data_name(evidence: Evidence, result: Result) -> str:
    general: General | None = evidence.report.general
    if result.task == "general" and general is not None:
        return f"{general.data} (SHA-256 {general.sha256[:16]})"
    return f"sealed pairs (SHA-256 {evidence.report.sealed.sha256[:16]})"
