"""Releases on the Hub, by their cards' metadata alone: no weights and no reports are fetched."""

from ...errors import UserError
from .entry import Entry, card_text, card_texts, read_block
from .folders import Unread


def read_author(author: str) -> tuple[list[Entry], list[Unread]]:
    """Return an organisation's or user's releases that this token may see, and those whose card can't be read.

    Raises:
        UserError: the Hub can't be asked, or knows no such author.
    """
    from huggingface_hub import constants

    from ..hub import list_releases

    entries, unread = [], []
    for listed in list_releases(author):
        try:
            block = read_block(listed.card)
        except UserError as error:
            unread.append(Unread(listed.repo, str(error)))
            continue
        entries.append(
            Entry(
                name=listed.repo,
                where=f"{constants.ENDPOINT}/{listed.repo}",
                hub=True,
                block=block,
                base=card_text(listed.card, "base_model"),
                licence=card_text(listed.card, "license"),
                languages=card_texts(listed.card, "language"),
                tags=card_texts(listed.card, "tags"),
                updated=listed.updated.isoformat(timespec="seconds") if listed.updated else "",
                revision=listed.revision,
                release=max(listed.tags, key=_number, default=""),
                private=listed.private,
            )
        )
    return entries, unread


def _number(tag: str) -> int:
    """Return which release a tag `v12` names."""
    return int(tag[1:]) if tag[:1] == "v" and tag[1:].isdecimal() else -1
