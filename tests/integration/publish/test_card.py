"""Every number on the card comes from the evidence, and what was not measured is said to be so."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prefloop.evaluate.estimate import Estimate, WinRate
from prefloop.evaluate.gates import GateResult, RuleResult
from prefloop.publish import DataRelease, Evidence, PublishSettings, render_card
from prefloop.publish.card.measured import bare, by_tag, comparisons, estimates, signed
from prefloop.publish.card.metadata import metadata
from prefloop.publish.card.write import write_card


def estimate(value: float, low: float, high: float) -> Estimate:
    return Estimate(value, low, high, 41, "Wilson, 41 prompts")


def full_card(evidence: Evidence, settings: PublishSettings) -> str:
    return f"---\n{metadata(evidence, settings)}\n---\n\n{render_card(evidence, settings)}"


def results_section(card: str) -> str:
    return card.split("## Results")[1].split("## Data")[0]


def test_every_measurement_stands_in_a_table_with_its_interval(evidence: Evidence) -> None:
    report, card = evidence.report, render_card(evidence, PublishSettings())
    compared = [*comparisons(report), *by_tag(report)]
    assert len(compared) == 7
    for row in compared:
        assert (
            f"| {bare(row.of.base)} | {bare(row.of.tuned)} | {signed(row.of.difference)} | {row.of.tuned.n} |" in card
        )
    for single in estimates(report):
        assert f"| {(signed if single.signed else bare)(single.of)} | {single.of.n} |" in card
    assert "0.731 (0.631 to 0.831)" in card


def test_a_win_rate_stands_with_all_that_it_needs(evidence: Evidence) -> None:
    card = render_card(evidence, PublishSettings())
    told = card.split("### Who wins, answer against answer")[1].split("##")[0]
    for part in (
        "66% (55% to 77%)",
        "the task check alone",
        "20 won, 14 tied, 7 lost",
        "Order:",
        "Length:",
        "0 unscored",
    ):
        assert part in told, part
    judged = WinRate("judge-7b", estimate(0.66, 0.55, 0.77), 20, 14, 7, 3, 5)
    card = render_card(replace(evidence, report=replace(evidence.report, win_rate=judged)), PublishSettings())
    for part in (
        "by the judge `judge-7b`",
        "both orders",
        "(5 prompts)",
        "3 unscored",
        "agrees with people was not measured",
    ):
        assert part in card, part


def test_examples_stand_only_where_the_report_has_them(evidence: Evidence) -> None:
    card = render_card(evidence, PublishSettings())
    assert "~~~~text\ntuned says\n~~~~" in card
    assert "~~~~text\nbase says\n~~~~" in card
    none = replace(evidence, report=replace(evidence.report, examples=()))
    assert "~~~~" not in render_card(none, PublishSettings())


def test_training_is_told_with_what_it_ran_on(evidence: Evidence) -> None:
    assert "the hardware is not on record" in render_card(evidence, PublishSettings())
    adapter = replace(evidence.adapter, hardware="2 cores of Some Processor")
    card = render_card(replace(evidence, adapter=adapter), PublishSettings())
    assert "2.0 minutes of wall-clock time, 0.5 pairs a second on 2 cores of Some Processor" in card
    assert "plots/training.png" not in card
    curves = [{"step": 1, "loss": 0.7}, {"step": 2, "loss": 0.6}]
    assert "](plots/training.png)" in render_card(replace(evidence, metrics=curves), PublishSettings())


def test_pictures_are_drawn(evidence: Evidence, tmp_path: Path) -> None:
    curves = [{"step": 1, "loss": 0.7}, {"step": 2, "loss": 0.6}]
    write_card(tmp_path, replace(evidence, metrics=curves), PublishSettings())
    for name in ("results", "training"):
        content = (tmp_path / "plots" / f"{name}.png").read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) > 5_000


def test_the_gates_decision_is_told(evidence: Evidence) -> None:
    rules = (RuleResult("general: not worse by more than 3 points", False, "a loss of 9 points"),)
    card = render_card(replace(evidence, gate=GateResult(False, rules)), PublishSettings())
    assert "did not hold: general: not worse by more than 3 points (a loss of 9 points)" in card
    assert "The gate stays shut" in card


def test_what_a_licence_asks_for_is_done_and_told(evidence: Evidence) -> None:
    card = render_card(evidence, PublishSettings(license="llama3.2", base_license="llama3.2", repo="me/Llama-mine"))
    assert "**Built with Llama**" in card.split("## What it is for")[0]
    assert "acceptable use policy" in card
    assert "Built with" not in render_card(evidence, PublishSettings(license="mit", base_license="mit"))


def test_the_card_follows_the_report(evidence: Evidence) -> None:
    before = render_card(evidence, PublishSettings())
    assert "0.731" in before
    report, compared = evidence.report, evidence.report.preference.normalised
    other = replace(compared, tuned=replace(compared.tuned, value=0.4444), verdict="worse")
    changed = replace(evidence, report=replace(report, preference=replace(report.preference, normalised=other)))
    after = render_card(changed, PublishSettings())
    assert "0.444" in results_section(after)
    assert "0.731 (" not in results_section(after)


def worse(card: str) -> str:
    return card.split("## What got worse")[1].split("## Contamination")[0]


def test_what_got_worse_has_its_own_section(evidence: Evidence) -> None:
    told = worse(render_card(evidence, PublishSettings()))
    assert "arc.jsonl" in told
    assert "0.310 before, 0.220 after" in told
    assert "Not settled by this much data" in told
    assert "0.123" in told


def test_losses_of_every_part_are_told(whole: Evidence) -> None:
    report = whole.report
    assert report.rubric is not None
    assert report.humans is not None
    assert report.formats is not None
    assert report.formats.flips is not None
    assert report.mt_bench is not None
    line, change = report.rubric.lines[0], report.mt_bench.differences[0]
    assert line.comparison is not None
    lost = replace(line, comparison=replace(line.comparison, verdict="worse"))
    changed = replace(
        report,
        rubric=replace(report.rubric, lines=(lost,)),
        humans=replace(report.humans, verdict="worse"),
        formats=replace(report.formats, flips=replace(report.formats.flips, shown_worse=2)),
        mt_bench=replace(report.mt_bench, differences=(replace(change, value=-0.5, low=-0.9, high=-0.1),)),
    )
    told = worse(render_card(replace(whole, report=changed), PublishSettings()))
    for part in (
        "People prefer the base model.",
        "Names a town",
        "worse in 2 wordings",
        "-0.50 points (-0.90 to -0.10)",
    ):
        assert part in told, part
    assert "Names a town" not in worse(render_card(whole, PublishSettings()))


def test_no_loss_seen_is_no_claim_that_there_is_none(evidence: Evidence) -> None:
    told = worse(render_card(replace(evidence, report=replace(evidence.report, general=None)), PublishSettings()))
    assert "no proof" in told
    assert "what the tuning cost elsewhere is not known" in told


def test_what_was_not_measured_is_not_mentioned_as_measured(evidence: Evidence) -> None:
    report = replace(evidence.report, check=None, win_rate=None, general=None)
    card = render_card(replace(evidence, report=report), PublishSettings())
    assert "Who wins" not in card
    assert "do the job as told" not in card
    assert "no automatic check" in card


def test_data_are_told_with_everything_left_out(evidence: Evidence) -> None:
    card = render_card(evidence, PublishSettings())
    for part in (
        "36, by 5 annotators",
        "tie 2",
        "0.678 (0.600 to 0.700)",
        "alpha 0.412",
        "submitted 36, discarded 4",
        "0.550",
    ):
        assert part in card, part
    assert "2 (too long)" in card
    assert "dataset `tiny-set` 2, model `tiny-model` 2" in card
    assert "secret" not in card


def test_replayed_votes_are_told_as_such(evidence: Evidence) -> None:
    assert "replayed" not in render_card(evidence, PublishSettings())
    recipe = evidence.recipe | {"collect": evidence.recipe["collect"] | {"votes": "votes.jsonl"}}
    assert "replayed" in render_card(replace(evidence, recipe=recipe), PublishSettings())


def test_undefined_agreement_is_told(evidence: Evidence) -> None:
    none: dict[str, Any] = dict.fromkeys(("alpha", "alpha_interval", "pairwise", "pairwise_interval", "first_shown"))
    collection = evidence.collection | {"agreement": evidence.collection["agreement"] | none, "left_out": {}}
    card = render_card(replace(evidence, collection=collection), PublishSettings())
    assert "alpha is undefined" in card
    assert "| left out (no pair) | none |" in card


def test_licences_are_told_and_never_made_up(evidence: Evidence) -> None:
    bare = full_card(evidence, PublishSettings())
    assert "No licence has been chosen" in bare
    assert "license:" not in bare
    given = full_card(
        evidence, PublishSettings(license="mit", base_license="apache-2.0", languages=("en",), limits=("No law.",))
    )
    assert "license: mit" in given
    assert "licence is `apache-2.0`" in given
    assert "- No law.\n" in given


@pytest.mark.parametrize(("source", "part"), [("wheel", "stored in 4 bits"), ("folder", "local folder")])
def test_where_the_base_came_from_is_told(source: Any, part: str, evidence: Evidence) -> None:
    assert part in render_card(replace(evidence, base=replace(evidence.base, source=source)), PublishSettings())
    hub = replace(evidence.base, source="hub", name="org/model", revision="abc123")
    card = render_card(replace(evidence, base=hub), PublishSettings(repo="me/mine"))
    assert part not in card
    assert 'base = "org/model"' in card
    assert 'revision="abc123"' in card
    assert 'adapter = "me/mine"' in card


def test_the_metadata_is_what_the_hub_reads(evidence: Evidence) -> None:
    from huggingface_hub import ModelCard

    card = ModelCard(
        full_card(evidence, PublishSettings(repo="me/mine", license="mit", languages=("en",), tags=("news",)))
    )
    data = card.data.to_dict()
    assert data["base_model"] == "tiny"
    assert data["library_name"] == "peft"
    assert data["pipeline_tag"] == "text-generation"
    assert {"prefloop", "dpo", "trl", "news"} <= set(data["tags"])
    values = {result.metric_name.split(",")[0]: result.metric_value for result in card.data.eval_results}
    assert values["preference accuracy per token"] == 0.731
    assert values["questions right in arc.jsonl"] == 0.22
    assert all(isinstance(value, str | list) for name, value in data.items() if name != "prefloop")


def test_a_listing_shows_the_evidence(evidence: Evidence) -> None:
    from huggingface_hub import ModelCard

    told = ModelCard(full_card(evidence, PublishSettings())).data.to_dict()["prefloop"]
    assert told["task"] == "Answer a question in one word."
    assert (told["verdict"], told["confidence"], told["base_sha256"]) == ("better", 0.95, evidence.base.sha256)
    weights = evidence.base.path / "model.safetensors"
    assert 2 * told["parameters"] < weights.stat().st_size < 2.5 * told["parameters"]  # 2 bytes each, and a header
    assert told["headline"] == {
        "name": "preference accuracy per token", "value": 0.731, "low": 0.631, "high": 0.831, "n": 41,
    }  # fmt: skip
    assert told["difference"] == {"value": 0.219, "low": 0.149, "high": 0.289, "n": 41}
    assert [row["task"] for row in told["results"]] == [
        "sealed_preference", "sealed_preference_reward", "task_check", "win_rate", "general",
    ]  # fmt: skip


def test_the_published_data_are_linked(evidence: Evidence) -> None:
    from huggingface_hub import ModelCard

    data = DataRelease("me/data", "a" * 40, "v1")
    card = ModelCard(full_card(replace(evidence, data=data), PublishSettings()))
    assert card.data.datasets == ["me/data"]
    assert ModelCard(full_card(evidence, PublishSettings())).data.datasets is None


def test_tables_are_whole_and_no_blank_is_left_over(evidence: Evidence) -> None:
    card = render_card(evidence, PublishSettings(merged=True))
    assert "\n\n\n" not in card
    assert "{{" not in card.split("## Citation")[0]
    assert card.count("```") % 2 == 0
    widths: list[int] = []
    for line in card.splitlines():
        if line.startswith("|"):
            widths.append(line.replace("\\|", "").count("|"))
            assert widths[-1] == widths[0], line
        else:
            widths.clear()


def test_without_examples_the_card_shows_no_prompt(evidence: Evidence) -> None:
    shown = evidence.report.examples[0].prompt[-1].content
    assert shown in render_card(evidence, PublishSettings())
    secret = replace(evidence, report=replace(evidence.report, examples=()))
    card = render_card(secret, PublishSettings())
    assert "and example answers" not in card
    assert not any(message.content in card for pair in evidence.training for message in pair.prompt)
