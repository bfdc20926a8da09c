"""A judge put before the project's own votes: who it agrees with, what it goes by, and what it falls for.

Everything lies in one folder, of the run `evaluate/judge_audit/`: replies.jsonl (never asked twice), audit.json,
attacks.json, and audit.html with both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..collect import Item, Vote, pairwise, read_items, read_sealed, read_votes
from ..collect.agreement import majority
from ..collect.item import Side
from ..errors import UserError
from ..recipe import Recipe
from ..runs import Progress, Run, silent, write_text
from .folder import collected_file, read_run_items

if TYPE_CHECKING:
    from ..asking import CostEstimate
    from ..evaluate.attacks import AttackReport
    from ..evaluate.judge_audit import JudgeAudit, Ruling
    from ..evaluate.judges import Judge

ATTACKED = 50
"""Items that attacks are made of: at 12 questions an item, 600 questions."""


@dataclass(frozen=True, slots=True)
class Material:
    """What a judge is audited on."""

    items: tuple[Item, ...]
    """With at least one counted vote, two candidates each, in the order of their ids, which are hashes."""
    votes: tuple[Vote, ...]
    sealed: int
    """Items on sealed prompts, which are left alone."""
    without_votes: int
    """Items on which nobody's vote counts: the judge isn't asked about them."""
    over_limit: int
    """Items beyond the number asked for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A judge, and how it is asked."""

    judge: "Judge"
    instructions: str
    max_tokens: int = 512


def run_material(run: Run, limit: int | None = None) -> Material:
    """Return the run's items and votes, without the sealed prompts: a judge can be chosen on the others.

    Raises:
        UserError: nothing was pulled yet, or no item has a vote.
    """
    path = collected_file(run, "votes.jsonl")
    if not path.exists():
        raise UserError(f"{run.folder} has no votes yet; `prefloop collect pull` comes first")
    items, sealed = read_run_items(run), read_sealed(collected_file(run, "sealed.json"))
    open_items = [item for item in items if not sealed.holds(item)]
    kept = {item.id for item in open_items}
    votes = [vote for vote in read_votes(path) if vote.item_id in kept]
    return _material(open_items, votes, len(items) - len(open_items), limit)


def file_material(items: Path, votes: Path, limit: int | None = None) -> Material:
    """Return the items and votes of files.

    Raises:
        UserError: a file can't be read, votes are about other items, or no item has a vote.
    """
    rows, said = read_items(items), read_votes(votes)
    if strangers := sorted({vote.item_id for vote in said} - {item.id for item in rows}):
        raise UserError(f"{len(strangers)} votes of {votes} are about items that {items} lacks (first: {strangers[0]})")
    return _material(rows, said, 0, limit)


def recipe_judge(recipe: Recipe) -> Asked:
    """Return the recipe's judge. Raises UserError where it has none."""
    judge = recipe.evaluate.judge
    if judge is None:
        raise UserError("the recipe has no judge (evaluate.judge); name one with --judge-url and --judge-model")
    return Asked(judge, judge.instructions, judge.max_tokens)


def audit_cost(material: Material, asked: Asked, folder: Path) -> "CostEstimate | None":
    """Return what an audit will take, before anything is sent; None for a local model, which costs time alone."""
    from ..asking import EndpointSettings, estimate_cost
    from ..evaluate.judge_audit import ruling_questions

    if not isinstance(asked.judge, EndpointSettings):
        return None
    questions = ruling_questions(
        material.items, asked.judge, instructions=asked.instructions, max_tokens=asked.max_tokens
    )
    return estimate_cost(questions, asked.judge, folder / "replies.jsonl")


def audit(
    material: Material, asked: Asked, folder: Path, *, margin: float, progress: Progress = silent
) -> "JudgeAudit":
    """Ask the judge about every item in both orders, and measure it against the votes.

    Raises:
        UserError: the judge can't be asked, or not one of its verdicts can be read.
    """
    from ..evaluate.judge_audit import audit_judge, write_audit
    from ..evaluate.judges import judge_name

    rulings = _rulings(material.items, asked, folder, progress)
    if not any(ruling.readable for ruling in rulings):
        raise UserError(
            f"not one verdict of {judge_name(asked.judge)} on {len(rulings)} items can be read; what it said is in "
            f"{folder / 'replies.jsonl'}"
        )
    found = audit_judge(rulings, material.items, material.votes, judge=judge_name(asked.judge), margin=margin)
    write_audit(folder / "audit.json", found)
    return found


def attack(
    material: Material, asked: Asked, folder: Path, *, count: int = ATTACKED, progress: Progress = silent
) -> "AttackReport":
    """Attack the judge on some of the items, the answers that people prefer being the honest ones.

    Raises:
        UserError: the judge can't be asked.
    """
    from ..evaluate.attacks import run_attacks, write_attacks
    from ..evaluate.judges import judge_name

    report = run_attacks(
        lambda items: _rulings(items, asked, folder, progress),
        material.items[:count],
        judge=judge_name(asked.judge),
        honest=_preferred(material.votes),
    )
    write_attacks(folder / "attacks.json", report)
    return report


def write_audit_page(folder: Path, audit: "JudgeAudit", attacks: "AttackReport | None") -> Path:
    """Write both as one page that needs nothing else."""
    from ..evaluate import attacks as attacking
    from ..evaluate import judge_audit
    from ..evaluate.fragments import render_pieces

    pieces = [judge_audit.section(audit), *([attacking.section(attacks)] if attacks else [])]
    return write_text(folder / "audit.html", render_pieces(f"Judge audit: {audit.judge}", pieces))


def _rulings(items: Sequence[Item], asked: Asked, folder: Path, progress: Progress) -> "list[Ruling]":
    from ..evaluate.judge_audit import ask_rulings

    store = folder / "replies.jsonl"
    return ask_rulings(
        items, asked.judge, store, instructions=asked.instructions, max_tokens=asked.max_tokens, progress=progress
    )


def _material(items: Sequence[Item], votes: Sequence[Vote], sealed: int, limit: int | None) -> Material:
    pairs, said = pairwise(items, votes)
    voted = {vote.item_id for vote in said if vote.counts}
    rows = sorted((item for item in pairs if item.id in voted), key=lambda item: item.id)
    if not rows:
        raise UserError(f"not one of {len(pairs)} items has a vote that counts; there is nothing to audit a judge on")
    kept = rows[:limit]
    ids = {item.id for item in kept}
    mine = tuple(vote for vote in said if vote.item_id in ids)
    return Material(tuple(kept), mine, sealed, len(pairs) - len(rows), len(rows) - len(kept))


def _preferred(votes: Sequence[Vote]) -> Mapping[str, Side]:
    """Return the candidate that most people prefer, of items where there is one."""
    said: dict[str, list[str]] = {}
    for vote in votes:
        if vote.counts:
            said.setdefault(vote.item_id, []).append(str(vote.choice))
    leaders = {item_id: majority(choices) for item_id, choices in said.items()}
    sides: dict[str, Side] = {"A": "A", "B": "B"}
    return {item_id: sides[most] for item_id, most in leaders.items() if most in sides}
