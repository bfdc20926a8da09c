"""Training pairs set apart to watch a training by, or to choose between trainings: not the sealed set."""

from collections.abc import Sequence

from ..collect import PreferencePair
from ..collect.item import content_hash
from ..collect.sealing.clusters import clusters, prompt_texts
from ..errors import UserError


def hold_out(
    pairs: Sequence[PreferencePair], share: float, seed: int
) -> tuple[list[PreferencePair], list[PreferencePair]]:
    """Split pairs into those to train on and those held out, by clusters of near-duplicate prompts.

    Whole clusters are drawn until `share` of the prompts is held out; one that would go past it is passed over. The
    draw goes by hashes, so the order of the pairs plays no part, and further pairs on known prompts move nobody.

    Args:
        pairs: At least two clusters of prompts.
        share: Of the prompts, in (0, 1).
        seed: Of the draw.

    Returns:
        The training pairs and the held-out pairs, each in the order given.

    Raises:
        UserError: one side would be empty.
    """
    prompts = {pair.prompt_id: prompt_texts(pair.prompt) for pair in pairs}
    room, held = max(1, round(share * len(prompts))), set[str]()
    for members in sorted(clusters(prompts), key=lambda members: content_hash([seed, members[0]])):
        if len(held) + len(members) <= room:
            held.update(members)
    if not held or len(held) == len(prompts):
        raise UserError(
            f"{share:.0%} of the {len(prompts)} prompts cannot be held out: they are too few or too alike "
            "(near-duplicates stay together); collect more prompts or choose another share"
        )
    return (
        [pair for pair in pairs if pair.prompt_id not in held],
        [pair for pair in pairs if pair.prompt_id in held],
    )
