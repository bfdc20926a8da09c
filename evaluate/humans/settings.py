"""The queue of an evaluation by people, derived from the recipe's own queue: there is nothing else to set."""

from ...collect import CollectSettings, FormSettings, QueueingSettings

MARK = "evaluation"
"""Stands in the queue's name, so that nobody takes its answers for training data."""


def evaluation_settings(settings: CollectSettings, round_id: str) -> CollectSettings:
    """Return the settings of one round's queue: the recipe's workspace, guidelines and votes an item, a plain form.

    The form asks which answer is better and nothing that training data would be made of: no edits, no strengths, no
    ratings. A tie and "both are bad" are always offered, as a forced choice between equals is noise.
    """
    own = {
        # A dot, which no recipe's queue has: never another recipe's queue.
        "queue": f"{settings.queue}.{MARK}-{round_id}",
        "form": _plain(settings.form),
        "skills": {},
        "queueing": QueueingSettings(),
        "suggestions": None,
    }
    return settings.model_copy(update=own)


def _plain(form: FormSettings) -> FormSettings:
    question = form.question if form.kind == "pairwise" else None  # a ranking's question asks for an order
    return FormSettings(
        question=question, critique=form.critique, edit=False, markdown=form.markdown, layout=form.layout
    )
