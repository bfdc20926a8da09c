"""Prompts that belong together: near-duplicates, and conversations that open the same way."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from ..item import Message
from .similar import NEAR, similar_groups, words

OPENING_WORDS = 5
"""Fewer words than this at the start of a conversation ("Hi there") tell nothing about what it is about."""


def prompt_texts(prompt: Sequence[Message]) -> tuple[str, ...]:
    """Return the texts by which a prompt is compared: the conversation, and how its user opens it, if that is less.

    System messages are left out: a task's prompts share theirs, and would all be alike. The opening is the user's
    first turn, with further ones until there are five words. In HH-RLHF, where no prompt of the last 512 rows stands
    among the first 1,800, one in ten is a stage of a conversation there, or a near-duplicate; the whole text alone
    shows one in fifty.
    """
    turns = [message for message in prompt if message.role != "system"] or list(prompt)
    whole, opening = "\n".join(turn.content for turn in turns), ""
    for turn in turns:
        if turn.role == "user" and len(words(opening)) < OPENING_WORDS:
            opening = f"{opening}\n{turn.content}".strip()
    return (whole, opening) if opening != whole.strip() and len(words(opening)) >= OPENING_WORDS else (whole,)


def clusters(prompts: Mapping[str, Sequence[str]], threshold: float = NEAR) -> list[tuple[str, ...]]:
    """Return the prompts that belong together, each cluster sorted, clusters by their first.

    Args:
        prompts: The texts of each prompt (`prompt_texts`), by prompt id.
        threshold: The Jaccard similarity from which two texts are near.
    """
    rows = [(prompt_id, text) for prompt_id in sorted(prompts) for text in prompts[prompt_id]]
    leader = {prompt_id: prompt_id for prompt_id in prompts}

    def lead(prompt_id: str) -> str:
        while leader[prompt_id] != prompt_id:
            prompt_id = leader[prompt_id]
        return prompt_id

    first: dict[int, str] = {}
    for (prompt_id, _), group in zip(rows, similar_groups([text for _, text in rows], threshold), strict=True):
        one, other = sorted((lead(prompt_id), lead(first.setdefault(group, prompt_id))))
        leader[other] = one
    found: dict[str, list[str]] = defaultdict(list)
    for prompt_id in sorted(prompts):
        found[lead(prompt_id)].append(prompt_id)
    return [tuple(members) for _, members in sorted(found.items())]
