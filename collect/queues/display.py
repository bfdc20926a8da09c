"""An item as Argilla's page shows it: the form's fields, and the record that fills them."""

import html

from ..item import LETTERS, Item
from .argilla import Json
from .form import FormSettings
from .page import page

MAX_MESSAGE = 20_000
"""Argilla's limit on a chat message, in characters."""


def fields(form: FormSettings) -> list[Json]:
    """Return the form's fields in Argilla's own words."""
    if on_page(form):
        return [_field("item", "Conversation and answers", "text")]
    prompt = _field("prompt", "Conversation", "chat")
    answers = [_field(f"answer_{place}", f"Answer {place}", "text") for place in range(1, form.candidates + 1)]
    return [prompt, *answers]


def record(item: Item, order: str, form: FormSettings) -> Json:
    """Return the item as Argilla's record. No origins, no tags: any annotator can read a whole record.

    Args:
        item: with as many candidates as the form shows.
        order: the candidates' letters in the order shown (`sides.shown_order`).
        form: says how texts are shown.
    """
    texts = [item.candidates[LETTERS.index(letter)].response for letter in order]
    if on_page(form):
        return {"external_id": item.id, "fields": {"item": page(item.prompt, texts, form)}, "metadata": {}}
    prompt = [{"role": message.role, "content": shown(message.content)} for message in item.prompt]
    answers = {f"answer_{place}": shown(text) for place, text in enumerate(texts, 1)}
    return {"external_id": item.id, "fields": {"prompt": prompt, **answers}, "metadata": {}}


def on_page(form: FormSettings) -> bool:
    """Whether items are shown on a page of ours (`page.py`) instead of in Argilla's plain fields."""
    return form.markdown or form.layout == "side_by_side"


def shown(text: str) -> str:
    """Return the text as Argilla's page must be given it to show it as it is.

    Argilla's page renders HTML even in plain text fields, so that `<div>` in an answer would be invisible and `<img>`
    would call its server. Texts are escaped, and people see them letter by letter.
    """
    return html.escape(text, quote=False)


def unshowable(item: Item, form: FormSettings) -> str | None:
    """Return why this form can't show the item, in words; None if it can."""
    if len(item.candidates) != form.candidates:
        return f"it has {len(item.candidates)} candidates; this queue's form shows {form.candidates}"
    if not item.prompt:
        return "the prompt has no message"
    if any(not message.content for message in item.prompt):
        return "the prompt has an empty message"
    if not on_page(form) and any(len(shown(message.content)) > MAX_MESSAGE for message in item.prompt):
        return f"a message of the prompt is longer than Argilla's {MAX_MESSAGE} characters"
    texts = {candidate.response for candidate in item.candidates}
    return (
        f"{'both' if form.candidates == 2 else 'some'} responses are the same" if len(texts) < form.candidates else None
    )


def _field(name: str, title: str, kind: str) -> Json:
    settings = {"type": kind, "use_markdown": False}
    return {"name": name, "title": title, "required": True, "settings": settings}
