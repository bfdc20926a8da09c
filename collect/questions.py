"""The labelling form: settings rendered to Argilla's fields and questions, and an answer read back from it."""

import html
from collections.abc import Mapping
from typing import Any

from .argilla import Json
from .item import Item, Side, content_hash
from .settings import CollectSettings
from .sides import other
from .vote import CHOICES, Choice, Vote

FIELDS: tuple[Json, ...] = (
    {"name": "prompt", "title": "Conversation", "required": True, "settings": {"type": "chat", "use_markdown": False}},
    {"name": "answer_1", "title": "Answer 1", "required": True, "settings": {"type": "text", "use_markdown": False}},
    {"name": "answer_2", "title": "Answer 2", "required": True, "settings": {"type": "text", "use_markdown": False}},
)
OPTIONS: tuple[Json, ...] = (
    {"value": "first", "text": "Answer 1 is better"},
    {"value": "second", "text": "Answer 2 is better"},
    {"value": "tie", "text": "Equally good"},
    {"value": "both_bad", "text": "Both are bad"},
)
STRENGTHS = (1, 2, 3, 4)
RATINGS = (1, 2, 3, 4, 5)
CRITERION = "criterion-"


def questions(settings: CollectSettings) -> list[Json]:
    """Return the form's questions in Argilla's own words."""
    rows = [
        _question(
            "preference",
            "Which answer is better?",
            {"type": "label_selection", "options": list(OPTIONS)},
            required=True,
        )
    ]
    if settings.strength:
        rows.append(_rating("strength", "How much better? 1 negligibly … 4 significantly", STRENGTHS))
    rows += [_rating(CRITERION + name, f"The better answer's {name}, 1 to 5", RATINGS) for name in settings.criteria]
    if settings.critique:
        rows.append(_question("critique", "Why? (optional)", {"type": "text"}))
    if settings.edit:
        rows.append(_question("edit", "A better version of the answer you chose (optional)", {"type": "text"}))
    return rows


def protocol(settings: CollectSettings, guidelines: str) -> str:
    """Return the content hash of all that annotators are shown beside the items."""
    return content_hash([list(FIELDS), questions(settings), guidelines])


def record(item: Item, left: Side) -> Json:
    """Return the item as Argilla's record. No origins, no tags: any annotator can read a whole record.

    Argilla's page renders HTML even in plain text fields, so that `<div>` in an answer would be invisible and `<img>`
    would call its server. Texts are escaped, and people see them letter by letter.
    """
    prompt = [{"role": message.role, "content": shown(message.content)} for message in item.prompt]
    answers = {"answer_1": shown(response(item, left)), "answer_2": shown(response(item, other(left)))}
    return {"external_id": item.id, "fields": {"prompt": prompt, **answers}, "metadata": {}}


def shown(text: str) -> str:
    """Return the text as Argilla's page must be given it to show it as it is."""
    return html.escape(text, quote=False)


def response(item: Item, side: Side) -> str:
    """Return one of the item's two candidate responses."""
    return item.response_a if side == "A" else item.response_b


def answer(vote: Vote) -> Json:
    """Return the vote as the values of an Argilla response. The vote must know which side was shown first."""
    values: Json = {}
    clicked = _clicked(vote.choice, vote.left)
    if clicked:
        values["preference"] = {"value": clicked}
    if vote.strength is not None:
        values["strength"] = {"value": vote.strength}
    values |= {CRITERION + name: {"value": rating} for name, rating in vote.criteria.items()}
    values |= {
        name: {"value": text} for name, text in (("critique", vote.critique), ("edit", vote.edit)) if text is not None
    }
    return values


def read_answer(answered: Mapping[str, Any], left: Side) -> Json:
    """Return an Argilla response's values as the matching fields of a `Vote`."""
    values = {name: value["value"] for name, value in answered.items()}
    return {
        "choice": _choice(values.get("preference"), left),
        "strength": values.get("strength"),
        "criteria": {
            name.removeprefix(CRITERION): values[name] for name in sorted(values) if name.startswith(CRITERION)
        },
        "critique": values.get("critique"),
        "edit": values.get("edit"),
    }


def _clicked(choice: Choice | None, left: Side | None) -> str | None:
    if choice in (None, "skip"):
        return None
    if choice in ("A", "B"):
        return "first" if choice == left else "second"
    return choice


def _choice(clicked: str | None, left: Side) -> Choice | None:
    if clicked is None:
        return None
    if clicked in ("first", "second"):
        return left if clicked == "first" else other(left)
    return CHOICES[CHOICES.index(clicked)]  # ValueError for a label that this form lacks


def _question(name: str, title: str, kind: Json, *, required: bool = False) -> Json:
    return {"name": name, "title": title, "required": required, "settings": kind}


def _rating(name: str, title: str, values: tuple[int, ...]) -> Json:
    return _question(name, title, {"type": "rating", "options": [{"value": value} for value in values]})
