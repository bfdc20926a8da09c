"""The labelling form's questions in Argilla's own words, and an answer to them read back."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..item import LETTERS, content_hash
from ..vote import CHOICES, Choice, Vote
from .argilla import Json
from .display import fields, on_page
from .form import FormSettings
from .page import VERSION

STRENGTHS = {4: "Significantly better", 3: "Better", 2: "Slightly better", 1: "Negligibly better, or unsure"}
"""Llama 2's four levels (arXiv:2307.09288, section 3.2)."""
RATINGS = (1, 2, 3, 4, 5)
CRITERION, RATING = "criterion-", "rating-"


def questions(form: FormSettings) -> list[Json]:
    """Return the form's questions in Argilla's own words, in the order asked."""
    rows = [_ranking(form) if form.kind == "ranking" else _preference(form)]
    if form.strength:
        rows.append(_strength())
    rows += [row for name in form.criteria for row in _ratings(form, name)]
    if form.critique != "none":
        required = form.critique == "required"
        rows.append(
            _question("critique", "Why?" if required else "Why? (optional)", {"type": "text"}, required=required)
        )
    if form.edit:
        best = "best answer" if form.kind == "ranking" else "answer you chose"
        rows.append(_question("edit", f"A better version of the {best} (optional)", {"type": "text"}))
    return rows


def protocol(form: FormSettings, guidelines: str) -> str:
    """Return the content hash of all that annotators are shown beside the items."""
    looks = ["page", VERSION, form.layout, form.markdown] if on_page(form) else fields(form)
    return content_hash([looks, questions(form), guidelines])


def answer(vote: Vote) -> Json:
    """Return the vote as the values of an Argilla response."""
    order = _order(vote)
    values: Json = {}
    chosen = clicked(vote.choice, order)
    if vote.ranking is not None:
        values["ranking"] = [
            {"value": str(place), "rank": rank}
            for place, letter in enumerate(order, 1)
            if (rank := vote.ranking[LETTERS.index(letter)]) is not None
        ]
    elif chosen:
        values["preference"] = chosen
    if vote.strength is not None:
        values["strength"] = str(vote.strength)
    values |= {CRITERION + name: rating for name, rating in vote.criteria.items()}
    for letter, ratings in vote.ratings.items():
        values |= {f"{RATING}{order.index(letter) + 1}-{name}": rating for name, rating in ratings.items()}
    values |= {name: text for name, text in (("critique", vote.critique), ("edit", vote.edit)) if text is not None}
    return {name: {"value": value} for name, value in values.items()}


def read_answer(answered: Mapping[str, Any], order: str) -> Json:
    """Return an Argilla response's values as the matching fields of a `Vote`.

    Args:
        answered: values by question, as Argilla keeps them.
        order: the candidates' letters in the order they were shown.

    Raises:
        ValueError: an answer that no form of ours offers for so many candidates.
    """
    values = {name: value["value"] for name, value in answered.items()}
    ranking = _read_ranking(values["ranking"], order) if "ranking" in values else None
    strength = values.get("strength")
    return {
        "choice": _choice(values.get("preference"), order) if ranking is None else compare(ranking[0], ranking[1]),
        "strength": None if strength is None else int(strength),
        "criteria": {
            name.removeprefix(CRITERION): values[name] for name in sorted(values) if name.startswith(CRITERION)
        },
        "ratings": _read_ratings(values, order),
        "ranking": ranking,
        "order": "" if ranking is None else order,
        "critique": values.get("critique"),
        "edit": values.get("edit"),
    }


def compare(rank_a: int | None, rank_b: int | None) -> Choice | None:
    """Return which of two ranks is better, None where one is missing."""
    if rank_a is None or rank_b is None:
        return None
    return "tie" if rank_a == rank_b else "A" if rank_a < rank_b else "B"


def _order(vote: Vote) -> str:
    return vote.order or ("BA" if vote.left == "B" else "AB")


def clicked(choice: Choice | None, order: str) -> str | None:
    """Return the option of the main question that says so on these sides, None for no choice and a skip."""
    if choice in (None, "skip"):
        return None
    if choice in ("A", "B"):
        return "first" if choice == order[0] else "second"
    return choice


def _choice(clicked: str | None, order: str) -> Choice | None:
    if clicked is None:
        return None
    if clicked in ("first", "second"):
        clicked = order[0] if clicked == "first" else order[1]
    return CHOICES[CHOICES.index(clicked)]  # ValueError for a label that this form lacks


def _read_ranking(rows: Sequence[Json], order: str) -> tuple[int | None, ...]:
    ranks: list[int | None] = [None] * len(order)
    for row in rows:
        ranks[LETTERS.index(_letter(row["value"], order))] = row["rank"]
    return tuple(ranks)


def _read_ratings(values: Mapping[str, Any], order: str) -> dict[str, dict[str, int]]:
    ratings: dict[str, dict[str, int]] = {}
    for name in sorted(values):
        if name.startswith(RATING):
            place, criterion = name.removeprefix(RATING).split("-", 1)
            ratings.setdefault(_letter(place, order), {})[criterion] = values[name]
    return dict(sorted(ratings.items()))


def _letter(place: str, order: str) -> str:
    number = int(place)
    if not 1 <= number <= len(order):
        raise ValueError(f"answer {place} of {len(order)}")
    return order[number - 1]


def _preference(form: FormSettings) -> Json:
    options = [{"value": "first", "text": "Answer 1 is better"}, {"value": "second", "text": "Answer 2 is better"}]
    if form.tie:
        options.append({"value": "tie", "text": "Equally good"})
    if form.both_bad:
        options.append({"value": "both_bad", "text": "Both are bad"})
    settings = {"type": "label_selection", "options": options}
    return _question("preference", form.question or "Which answer is better?", settings, required=True)


def _ranking(form: FormSettings) -> Json:
    options = [{"value": str(place), "text": f"Answer {place}"} for place in range(1, form.candidates + 1)]
    title = form.question or "Put the answers in order: 1 is best, equally good answers share a number"
    return _question("ranking", title, {"type": "ranking", "options": options}, required=True)


def _strength() -> Json:
    options = [{"value": str(level), "text": text} for level, text in STRENGTHS.items()]
    title = "How much better? (leave empty if neither is)"
    return _question("strength", title, {"type": "label_selection", "options": options})


def _ratings(form: FormSettings, criterion: str) -> list[Json]:
    settings = {"type": "rating", "options": [{"value": value} for value in RATINGS]}
    words, about = criterion.replace("-", " ").replace("_", " "), form.criteria[criterion]
    if form.rate == "better":
        best = "best" if form.kind == "ranking" else "better"
        return [_question(CRITERION + criterion, f"The {best} answer's {words} (1 poor, 5 excellent)", settings, about)]
    return [
        _question(f"{RATING}{place}-{criterion}", f"Answer {place}: {words} (1 poor, 5 excellent)", settings, about)
        for place in range(1, form.candidates + 1)
    ]


def _question(name: str, title: str, settings: Json, description: str = "", *, required: bool = False) -> Json:
    row = {"name": name, "title": title, "required": required, "settings": settings}
    return row | ({"description": description} if description else {})
