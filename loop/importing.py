"""Imports: other people's votes into files, and recorded votes into pairs without any Argilla."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..collect import Item, Pulled, Vote, read_votes
from ..collect.files import SHOWN
from ..collect.sources import Imported, Options, import_argilla, import_source
from ..errors import Problems, UserError
from ..home import home
from ..recipe import Recipe
from ..runs import Progress, Run, silent, timed
from .collecting import Collected, connect, in_words, keep, set_apart
from .folder import collected_file


def import_data(kind: str, place: str, options: Options, progress: Progress = silent) -> Imported:
    """Import a source of a kind; `argilla` is the server that ARGILLA_API_URL names, else the embedded one.

    Raises:
        UserError: no such kind, nothing to read there, or no server to be reached.
    """
    if kind != "argilla":
        return import_source(kind, place, options, progress=progress)
    with connect(Run(home())) as argilla:  # no run takes part: only the embedded server that all share
        return import_argilla(argilla, place, options, progress=progress)


def adopt_votes(run: Run, recipe: Recipe) -> Collected:
    """Make pairs of the recipe's recorded votes as they are: prompts are sealed first, and no Argilla takes part.

    Raises:
        UserError: the recipe has no recorded votes, or people label this run's items in Argilla.
        Problems: lines that are no votes, or one annotator's second vote on an item.
    """
    if recipe.collect.votes is None:
        raise UserError("the recipe has no recorded votes (collect.votes); `prefloop collect import` makes such a file")
    if collected_file(run, "push.json").exists():
        raise UserError(f"{run.folder} was pushed to Argilla, where people may have voted; adopt into another --run")
    votes = _recorded(recipe.collect.votes)
    with timed(run, "push") as summary:
        items, sealed = set_apart(run, recipe)
        summary.append(f"{len(items)} items, {len(sealed.prompt_ids)} of {len(sealed.prompts)} prompts sealed")
    with timed(run, "pull") as summary:
        pulled = _as_pulled(items, votes)
        protocols = {vote.protocol for vote in pulled.votes}
        protocol = protocols.pop() if len(protocols) == 1 else ""
        collected = keep(run, recipe, items, pulled, sealed, queue=recipe.collect.queue, protocol=protocol)
        summary.append(in_words(collected))
    return collected


def _recorded(path: Path) -> list[Vote]:
    votes, first = read_votes(path), dict[tuple[str, str], int]()
    again = [
        f"vote {number}: {vote.annotator} voted on {vote.item_id} before, in vote {first[vote.item_id, vote.annotator]}"
        for number, vote in enumerate(votes, 1)
        if first.setdefault((vote.item_id, vote.annotator), number) != number
    ]
    if again:
        shown = again[:SHOWN] + ([f"and {len(again) - SHOWN} more"] if len(again) > SHOWN else [])
        raise Problems(f"{path} has people vote twice on the same item; keep the vote that holds", shown)
    # A pair names its votes: one that came without an id gets its place in the file.
    return [vote if vote.id else replace(vote, id=f"{path.stem}:{number}") for number, vote in enumerate(votes, 1)]


def _as_pulled(items: Sequence[Item], votes: Sequence[Vote]) -> Pulled:
    known = {item.id for item in items}
    ours = sorted((vote for vote in votes if vote.item_id in known), key=lambda vote: (vote.item_id, vote.annotator))
    foreign = sorted({vote.item_id for vote in votes} - known)
    voted = {vote.item_id for vote in ours}
    return Pulled(tuple(ours), len(items), len(known - voted), tuple(foreign))
