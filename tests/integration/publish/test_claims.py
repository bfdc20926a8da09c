"""A release says nothing that it can't show, and one that was edited to say more is refused."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from prefloop.publish import Evidence, PublishSettings, render_card, write_release
from prefloop.publish.card.findings import findings
from prefloop.publish.checks.claims import check_claims


def told(folder: Path) -> list[str]:
    return [str(problem) for problem in check_claims(folder)]


def edit(folder: Path, old: str, new: str) -> None:
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8")
    assert old in text, old
    card.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_what_prefloop_writes_of_a_whole_report_passes(released: Path) -> None:
    assert told(released) == []


def test_what_prefloop_writes_of_a_bare_report_passes(evidence: Evidence, report_html: Path, tmp_path: Path) -> None:
    report = replace(evidence.report, check=None, win_rate=None, general=None, examples=(), caveats=(), left_out=())
    folder = tmp_path / "run" / "bare"
    write_release(folder, replace(evidence, report=report), PublishSettings(), report_html=report_html)
    assert told(folder) == []


def test_every_part_of_the_report_is_on_the_card(whole: Evidence) -> None:
    card = render_card(whole, PublishSettings())
    titles = [finding.title for finding in findings(whole.report)]
    assert len(titles) == 9
    for title in titles:
        assert f"### {title}\n" in card
    parts = (
        "6.43",
        "74% (67% to 82%)",
        "64% of comparisons, ties counted half (interval 56% to 73%",
        "29% (15% to 48%)",
    )
    for part in (*parts, "Names a town", "wordings"):
        assert part in card, part
    assert "The training data holds 1 of the 4 items of sealed" in card.split("## Contamination")[1]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("| 0.731 (0.631 to 0.831) |", "| 0.931 (0.631 to 0.831) |", "the evidence says: “prefers what the annot"),
        ("| 0.731 (0.631 to 0.831) |", "| 0.731 (0.701 to 0.831) |", "the evidence says: “prefers what the annot"),
        ("| counted votes | 36, by", "| counted votes | 3600, by", "the evidence says: “counted votes 36, by 5"),
        ("66% (55% to 77%) of 41", "86% (75% to 97%) of 41", "says: “Against the base's, its answers win 66%"),
        ("On 41 sealed prompts", "On 141 sealed prompts", "evidence says: “Against its base model: better."),
        ("## What it is for", "Better by 0.731 (0.7 to 0.74).\n\n## What it is for", "is no estimate of the report's"),
        ("tuned says", "a much better answer", "no such example"),
        ("value: 0.731\n", "value: 0.831\n", "prefloop.headline is"),
        ("verdict: better", "verdict: better than all", "prefloop.verdict"),
        ("## What it is for", "It beats GPT-4 at this.\n\n## What it is for", "“beats GPT-4”"),
        ("## What it is for", "Wins 66% of comparisons.\n\n## What it is for", "stands here without who judged"),
        ("## What it is for", "Right in 93% of cases.\n\n## What it is for", "the nearest is"),
    ],
)  # fmt: skip
def test_an_edited_card_is_refused_with_line_and_words(old: str, new: str, says: str, released: Path) -> None:
    edit(released, old, new)
    found = told(released)
    assert any(says in problem for problem in found), found
    assert all(re.match(r"README\.md (line \d+|metadata): ", problem) for problem in found), found


def test_the_line_is_the_files_own(released: Path) -> None:
    edit(released, "## What it is for", "It is state of the art.\n\n## What it is for")
    lines = (released / "README.md").read_text(encoding="utf-8").splitlines()
    (problem,) = told(released)
    assert problem.startswith(f"README.md line {lines.index('It is state of the art.') + 1}: “state of the art”")


def test_a_true_number_of_ones_own_is_let_through(released: Path) -> None:
    edit(released, "## What it is for", "Votes came from 5 annotators; the adapter took 3 steps.\n\n## What it is for")
    assert told(released) == []


def test_evidence_that_was_edited_is_none(released: Path) -> None:
    path = released / "report.json"
    path.write_text(path.read_text().replace("0.731", "0.931"))
    assert any("report.json: is not as the release was written" in problem for problem in told(released))


def test_what_people_wrote_into_the_recipe_is_read_too(whole: Evidence, report_html: Path, tmp_path: Path) -> None:
    settings = PublishSettings(limits=("Safe answers, always.",), tags=("sota",))
    recipe = whole.recipe | {"task": "Answers better than GPT-4.", "publish": settings.model_dump(mode="json")}
    folder = tmp_path / "run" / "loud"
    write_release(folder, replace(whole, recipe=recipe), settings, report_html=report_html)
    found = told(folder)
    for where in ("recipe: task", "recipe: publish.limits[0]", "recipe: publish.tags"):
        assert sum(problem.startswith(where) for problem in found) == 1, found


def test_no_release_is_told_as_such(tmp_path: Path) -> None:
    (problem,) = told(tmp_path)
    assert "no whole release" in problem


def test_a_card_without_readable_metadata_is_told(released: Path) -> None:
    edit(released, "verdict: better", "verdict: [better")
    assert any("metadata" in problem for problem in told(released))


def test_gate_and_report_are_read_from_the_folder(released: Path) -> None:
    assert json.loads((released / "gate.json").read_text())["passed"] is False
    (released / "gate.json").unlink()
    assert any("gate.json: is not as the release was written" in problem for problem in told(released))
