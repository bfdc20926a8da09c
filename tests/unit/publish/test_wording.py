"""Sentences of real cards: which claim something, which the report holds, and which are none."""

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
from prefloop.evaluate.estimate import Estimate
from prefloop.publish.checks.numbers import pool_of
from prefloop.publish.checks.wording import unproven

BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"


@dataclass(frozen=True)
class Lengths:
    difference: Estimate


@dataclass(frozen=True)
class Found:
    """As much of a report as the checker looks at."""

    verdict: str
    lengths: Lengths
    humans: Any = None


REPORT = Found("better", Lengths(Estimate(-20.7, -26.5, -14.7, 45, "bootstrap")))
POOL = pool_of({"report.json": {"preference": {"value": 0.7097, "low": 0.603, "high": 0.81}, "difference": 0.516}})


def words(text: str, report: Any = REPORT) -> list[str]:
    return [claim.words for claim in unproven(text, report, POOL, BASE)]


@pytest.mark.parametrize(
    ("sentence", "claimed"),
    [
        ("It beats GPT-4 on customer support.", "beats GPT-4"),
        ("Outperforms models ten times its size.", "Outperforms"),
        ("This is a state-of-the-art support model.", "state-of-the-art"),
        ("The best small model for emails.", "The best small model"),
        ("It is the best choice for shops.", "is the best"),
        ("Our model surpasses Llama-3-8B.", "surpasses"),
        ("On par with models of 7B parameters.", "On par with"),
        ("It matches GPT-3.5 on our task.", "matches GPT-3.5"),
        ("GPT-4-level answers on a laptop.", "GPT-4-level"),
        ("It is much better than Mistral-7B-Instruct.", "better than"),
        ("More accurate than its base model.", "More accurate than"),
        ("Faster than the base model.", "Faster than"),
        ("Runs 3x faster and never fails.", "3x faster"),
        ("Half the size of the others, twice as good.", "Half the"),
        ("Wins 85% of comparisons.", "Wins 85%"),
        ("It reaches an accuracy of 92.4.", "accuracy of 92.4"),
        ("Replies are correct in 99 percent of cases.", "correct in 99 percent"),
        ("The model is safe for children.", "is safe"),
        ("Gives unbiased and factual answers.", "unbiased and factual answers"),
        ("It never hallucinates.", "never hallucinates"),
        ("A production-ready assistant.", "production-ready"),
        ("Human-level writing.", "Human-level"),
        ("Customers prefer its replies.", "Customers prefer"),
        ("Not only better than GPT-4 but cheaper.", "better than"),
        ("No other model comes close.", "No other model comes close"),
        ("Nothing beats it.", "Nothing beats"),
        ("It improves on the state of the art by 4 points.", "state of the art"),
        ("Guaranteed to answer.", "Guaranteed"),
    ],
)  # fmt: skip
def test_claims_of_real_cards_are_found(sentence: str, claimed: str) -> None:
    assert claimed in words(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Drafts the first reply to a customer of a small kitchenware shop.",
        "It knows nothing of any real order, price or policy.",
        "Its data were written for a demonstration; the three annotators are authored personas, not a study of people.",
        "Whatever the base model does wrong (facts, bias, safety) it does too, unless a number says otherwise.",
        "Preferred is not the same as correct.",
        "Not safe for medical advice, and not better than a search engine.",
        "It does not beat GPT-4 and was not compared with it.",
        "No claim is made that it is unbiased.",
        "Picks the best of two answers.",
        "Classifies replies as safe or unsafe.",
        "Decides whether a reply is safe.",
        "Answers in fewer than 33 words.",
        "Use no more than 3 sentences.",
        "Is it better than GPT-4?",
        "Answers questions about workplace safety and fair trade.",
        "Matches invoices to orders that exceed the limit.",
        "Beats the eggs first, then adds sugar.",
        "Explains discounts of 20% to customers.",
        "It may be worse than the base model on mathematics.",
        "This model is a fine-tuned version of SmolLM2 on a dataset of support mails.",
        "It has been trained using TRL with a learning rate of 0.001 and 4-bit weights.",
        "Scored by three annotators with the guidelines of 2026.",
        "Users should be told that they talk to a machine.",
        "More than one answer can be right.",
    ],
)  # fmt: skip
def test_plain_sentences_are_let_through(sentence: str) -> None:
    assert words(sentence) == []


def test_what_the_report_shows_may_be_said() -> None:
    for sentence in (
        "Its replies are better than those of the base model.",
        "It outperforms its base on the sealed prompts.",
        "Better than SmolLM2-135M-Instruct at this job.",
        "Its answers are shorter than its base's.",
        "Annotators prefer it.",
        "It prefers what annotators chose in 71% of cases.",
        "The difference is 52 points, which is better.",
    ):
        assert words(sentence) == [], sentence


def test_what_the_report_does_not_show_may_not() -> None:
    unclear = replace(REPORT, verdict="can't tell yet")
    (claim,) = unproven("It is better than its base.", unclear, POOL, BASE)  # type: ignore[arg-type]
    assert "can't tell yet" in claim.why
    longer = replace(REPORT, lengths=Lengths(Estimate(1.0, -2.0, 4.0, 45, "bootstrap")))
    assert words("Its answers are shorter than its base's.", longer) == ["shorter than"]
    assert words("Annotators prefer it.", unclear) == ["Annotators prefer"]


def test_people_may_be_named_where_they_were_asked() -> None:
    asked = replace(REPORT, verdict="can't tell yet", humans=SimpleNamespace(verdict="better"))
    assert words("People prefer its answers.", asked) == []
    assert words("Experts prefer its answers.", asked) == ["Experts prefer"]
    assert words("People prefer its answers.") == ["People prefer"]


def test_a_wrong_number_is_told_with_the_nearest_right_one() -> None:
    (claim,) = unproven("It is right in 73% of cases.", REPORT, POOL, BASE)  # type: ignore[arg-type]
    assert "0.7097 (report.json.preference.value)" in claim.why


def test_each_claim_is_told_once_and_with_its_place() -> None:
    text = "Fine. It is safe. It beats GPT-4 and is state of the art."
    found = unproven(text, REPORT, POOL, BASE)  # type: ignore[arg-type]
    assert [claim.words for claim in found] == ["is safe", "beats GPT-4", "state of the art"]
    assert all(text[claim.place :].startswith(claim.words) for claim in found)
