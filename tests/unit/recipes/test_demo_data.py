"""The demonstration data's claims, as its card makes them (recipes/demo/README.md)."""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import prefloop
import pytest
from prefloop.collect.item import Item, Side
from prefloop.collect.vote import Vote
from pydantic import TypeAdapter

FOLDER = Path(prefloop.__path__[0]) / "recipes" / "demo"
TEAMS = ("delivery", "returns", "billing", "product", "account")
SHAPE = re.compile(rf"Team: (?P<label>{'|'.join(TEAMS)})\nReply: (?P<reply>\S[^\n]*\S)")
WORDS = 30
"""The longest reply that still counts as short."""
ANNOTATORS = ["ann_01", "ann_02", "ann_03"]
SLICES = ["all", "form", "substance", *(f"team:{team}" for team in TEAMS)]


@dataclass(frozen=True, slots=True)
class Decided:
    """An item on which more annotators chose one side than anything else."""

    item: Item
    side: Side

    @property
    def chosen(self) -> str:
        return self.item.response_a if self.side == "A" else self.item.response_b

    @property
    def rejected(self) -> str:
        return self.item.response_b if self.side == "A" else self.item.response_a

    @property
    def chosen_by(self) -> str:
        return (self.item.origin_a if self.side == "A" else self.item.origin_b).kind


def rows(name: str) -> list[Any]:
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return TypeAdapter(list[Item]).validate_python(rows("items.jsonl"))


@pytest.fixture(scope="module")
def votes() -> list[Vote]:
    return TypeAdapter(list[Vote]).validate_python(rows("votes.jsonl"))


@pytest.fixture(scope="module")
def decided(items: list[Item], votes: list[Vote]) -> list[Decided]:
    choices: dict[str, list[str]] = {item.id: [] for item in items}
    for vote in votes:
        if vote.counts and vote.choice is not None:
            choices[vote.item_id].append(vote.choice)
    found = []
    for item in items:
        counts = Counter(choices[item.id]).most_common(2)
        choice = counts[0][0]
        if choice in ("A", "B") and (len(counts) == 1 or counts[0][1] > counts[1][1]):
            found.append(Decided(item, "A" if choice == "A" else "B"))
    return found


def in_slice(decided: list[Decided], name: str) -> list[Decided]:
    return [one for one in decided if name == "all" or name in one.item.tags]


def longer_is_right(decided: list[Decided], length: Callable[[str], int]) -> float:
    """The share of pairs where the chosen response is the longer one; equal lengths count half."""
    signs = [
        (length(one.chosen) > length(one.rejected)) - (length(one.chosen) < length(one.rejected)) for one in decided
    ]
    return 0.5 + sum(signs) / (2 * len(signs))


def test_counts_are_those_of_the_card(items: list[Item], votes: list[Vote], decided: list[Decided]) -> None:
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    prompts = len({item.prompt_id for item in items})
    decided_prompts = len({one.item.prompt_id for one in decided})
    told = {
        "Items": len(items),
        "Distinct prompts": prompts,
        "Votes": len(votes),
        "Decided items": len(decided),
        "Prompts with a decided item": decided_prompts,
        "Critiques": sum(vote.critique is not None for vote in votes),
        "Edits": sum(vote.edit is not None for vote in votes),
    }
    missing = [f"| {name} | {count} |" for name, count in told.items() if f"| {name} | {count} |" not in card]
    assert missing == []
    assert len(items) >= 180
    assert prompts >= 140
    assert len(decided) >= 200


def test_items_are_distinct_and_differ_inside(items: list[Item]) -> None:
    assert len({item.id for item in items}) == len(items)
    assert all(item.response_a.strip() and item.response_b.strip() for item in items)
    assert all(item.response_a != item.response_b for item in items)


def test_every_prompt_is_one_system_and_one_user_message(items: list[Item]) -> None:
    assert {tuple(message.role for message in item.prompt) for item in items} == {("system", "user")}
    assert len({item.prompt[0].content for item in items}) == 1


def test_every_item_is_form_or_substance_and_has_one_team(items: list[Item]) -> None:
    for item in items:
        kind, team = item.tags
        assert kind in ("form", "substance")
        assert team in {f"team:{name}" for name in TEAMS}
    share = sum("form" in item.tags for item in items) / len(items)
    assert 0.40 <= share <= 0.50


def test_every_item_has_one_vote_of_each_annotator(items: list[Item], votes: list[Vote]) -> None:
    by_item: dict[str, list[str]] = {item.id: [] for item in items}
    for vote in votes:
        by_item[vote.item_id].append(vote.annotator)
    assert {tuple(sorted(names)) for names in by_item.values()} == {tuple(ANNOTATORS)}


def test_skips_are_discarded_and_everything_else_is_submitted(votes: list[Vote]) -> None:
    assert all((vote.choice == "skip") == (vote.status == "discarded") for vote in votes)
    assert {vote.choice for vote in votes} == {"A", "B", "tie", "both_bad", "skip"}


def test_annotators_agree_as_people_do(votes: list[Vote]) -> None:
    by_item: dict[str, list[str | None]] = {}
    for vote in votes:
        if vote.counts:
            by_item.setdefault(vote.item_id, []).append(vote.choice)
    same = total = 0
    for choices in by_item.values():
        pairs = [(a, b) for k, a in enumerate(choices) for b in choices[k + 1 :]]
        same, total = same + sum(a == b for a, b in pairs), total + len(pairs)
    assert 0.80 <= same / total <= 0.85


def test_the_majority_disagrees_more_on_substance_than_on_form(items: list[Item], votes: list[Vote]) -> None:
    def split_share(kind: str) -> float:
        wanted = {item.id for item in items if kind in item.tags}
        choices: dict[str, set[str | None]] = {}
        for vote in votes:
            if vote.item_id in wanted and vote.counts:
                choices.setdefault(vote.item_id, set()).add(vote.choice)
        return sum(len(found) > 1 for found in choices.values()) / len(choices)

    assert split_share("substance") > split_share("form")


@pytest.mark.parametrize("name", SLICES)
def test_neither_length_rule_works_in_characters(decided: list[Decided], name: str) -> None:
    chosen = in_slice(decided, name)
    assert len(chosen) >= 40
    assert 0.45 <= longer_is_right(chosen, len) <= 0.55


@pytest.mark.parametrize("name", SLICES)
def test_position_does_not_tell(decided: list[Decided], name: str) -> None:
    chosen = in_slice(decided, name)
    assert 0.45 <= sum(one.side == "A" for one in chosen) / len(chosen) <= 0.55


def test_the_chosen_response_keeps_the_shape(decided: list[Decided]) -> None:
    assert {one.chosen_by for one in decided} == {"person"}
    for one in decided:
        match = SHAPE.fullmatch(one.chosen)
        assert match is not None, one.chosen
        assert len(match["reply"].split()) <= WORDS, one.chosen


def test_form_is_about_shape_and_substance_is_not(decided: list[Decided]) -> None:
    for one in decided:
        assert (SHAPE.fullmatch(one.rejected) is None) == ("form" in one.item.tags), one.rejected


def test_labels_cover_every_prompt_and_hold_the_chosen_team(items: list[Item], decided: list[Decided]) -> None:
    labels = {row["prompt_id"]: row["labels"] for row in rows("labels.jsonl")}
    assert set(labels) == {item.prompt_id for item in items}
    assert all(found and set(found) <= set(TEAMS) for found in labels.values())
    for one in decided:
        match = SHAPE.fullmatch(one.chosen)
        assert match is not None
        assert match["label"] in labels[one.item.prompt_id]


def test_the_five_teams_are_balanced_on_both_sides_of_substance(decided: list[Decided]) -> None:
    for texts in zip(*((one.chosen, one.rejected) for one in in_slice(decided, "substance")), strict=True):
        teams = Counter(text.split("\n")[0].removeprefix("Team: ") for text in texts)
        assert set(teams) == set(TEAMS)
        assert max(teams.values()) <= 2 * min(teams.values())


def test_edits_keep_the_shape_and_were_made_on_the_chosen_side(decided: list[Decided], votes: list[Vote]) -> None:
    sides = {one.item.id: one.side for one in decided}
    edits = [vote for vote in votes if vote.edit is not None]
    assert 8 <= len(edits) <= 20
    for vote in edits:
        assert vote.choice == sides[vote.item_id]
        assert SHAPE.fullmatch(vote.edit or "") is not None, vote.edit


def test_machine_written_responses_say_how_they_were_sampled(items: list[Item]) -> None:
    origins = [origin for item in items for origin in (item.origin_a, item.origin_b)]
    assert {origin.kind for origin in origins} == {"person", "model"}
    assert {origin.name for origin in origins if origin.kind == "person"} == {"prefloop-authors"}
    for origin in origins:
        if origin.kind == "model":
            assert origin.revision is not None
            assert set(origin.sampling) >= {"temperature", "top_p", "max_new_tokens", "seed"}


def test_no_text_holds_an_address_a_link_or_a_phone_number(items: list[Item], votes: list[Vote]) -> None:
    texts = [text for item in items for text in (item.prompt[1].content, item.response_a, item.response_b)]
    texts += [text for vote in votes for text in (vote.critique, vote.edit) if text]
    found = [text for text in texts if re.search(r"\S@\S|https?:|www\.|\d{5,}|\+\d", text)]
    assert found == []


def test_general_questions_are_well_formed_and_balanced() -> None:
    questions = rows("general.jsonl")
    assert len(questions) == 120
    assert len({row["question"] for row in questions}) == 120
    assert all(len(set(row["choices"])) == 4 for row in questions)
    assert Counter(row["answer"] for row in questions) == {0: 30, 1: 30, 2: 30, 3: 30}
    right = [[len(choice) for choice in row["choices"]].index(max(map(len, row["choices"]))) for row in questions]
    longest = sum(guess == row["answer"] for guess, row in zip(right, questions, strict=True)) / 120
    assert longest <= 0.40


def test_guidelines_fit_their_box() -> None:
    assert len((FOLDER / "guidelines.md").read_text(encoding="utf-8")) < 3000
