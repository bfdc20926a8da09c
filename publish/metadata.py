"""The card's metadata block and the `.eval_results` entries: the report's numbers in the Hub's own two formats."""

from dataclasses import dataclass

from ..evaluate.estimate import Estimate
from ..evaluate.parts import General
from ..evaluate.report import Report
from .evidence import Evidence
from .settings import PublishSettings

TAGS = ("prefloop", "dpo", "trl", "lora", "preference", "argilla")


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
            metric_value=round(result.of.value, 4),
        )
        for result in results(report)
    ]
    data = ModelCardData(
        base_model=evidence.base_name,
        base_model_relation="finetune" if evidence.adapter.whole else "adapter",
        library_name="transformers" if evidence.adapter.whole else "peft",
        pipeline_tag="text-generation",
        license=settings.license,
        language=list(settings.languages) or None,
        tags=[*(tag for tag in TAGS if tag != "lora" or not evidence.adapter.whole), *settings.tags],
        model_name=name,
        eval_results=found,
    )
    return str(data.to_yaml()).strip()


def eval_results(evidence: Evidence) -> str:
    """Return the content of `.eval_results/*.yaml`. The data are private to the project, and each entry says so."""
    import yaml
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    report = evidence.report
    entries = [
        EvalResultEntry(
            dataset_id=data_id(evidence, result),
            task_id=result.task,
            value=round(result.of.value, 4),
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
