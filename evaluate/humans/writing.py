"""What people are shown: both models' answers to one prompt as an item, the base always candidate A.

Which of the two is shown first is the run's keyed coin per item, as in every queue; the record that goes to Argilla
holds texts alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ...collect import Item, Message, Origin


@dataclass(frozen=True, slots=True)
class Contest:
    """Both models' answers to one sealed prompt."""

    prompt: tuple[Message, ...]
    base: str
    tuned: str
    tags: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether nobody could see a difference: the answers are the same but for white space at their ends."""
        return self.base.strip() == self.tuned.strip()


def round_items(contests: Sequence[Contest], base: Origin, tuned: Origin) -> tuple[list[Item], list[str]]:
    """Return the items that people are asked about, and the prompt ids of equal answers, which are ties unasked."""
    items = [Item(row.prompt, row.base, row.tuned, base, tuned, row.tags) for row in contests]
    equal = [item.prompt_id for item, row in zip(items, contests, strict=True) if row.equal]
    return [item for item, row in zip(items, contests, strict=True) if not row.equal], equal
