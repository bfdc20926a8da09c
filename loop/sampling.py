"""From prompts to the items that people are asked about: sample answers, score the pairs, select."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..collect import read_items, write_rows
from ..collect.sampling.pool import Pool, make_pool, read_prompts
from ..collect.sampling.scores import add_scores, read_scores
from ..collect.sampling.selection import Selection, select
from ..collect.sampling.writers import write_candidates
from ..errors import UserError
from ..recipe import Recipe
from ..runs import Progress, Run, silent, write_json
from .folder import base_model, collected_file


@dataclass(frozen=True, slots=True)
class Scored:
    """What a scoring brought."""

    scorer: str
    items: int
    unscored: tuple[str, ...]
    """Ids of items on which the scorer gave no verdict that could be read."""


def sample_items(run: Run, recipe: Recipe, progress: Progress = silent) -> Pool:
    """Let the recipe's writers answer its prompts, and keep every pair of presentable answers in the run's pool.

    Raises:
        UserError: the recipe has no `collect.sample`, a model can't be had, or the prompts can't be read.
    """
    settings = recipe.collect.sample
    if settings is None:
        raise UserError("the recipe has no section collect.sample; it says which models answer which prompts")
    prompts = read_prompts(settings.prompts)
    written = write_candidates(
        {prompt.id: prompt.prompt for prompt in prompts},
        settings,
        base=recipe.train.base_model,
        path=collected_file(run, "candidates.jsonl"),
        progress=progress,
    )
    pool = make_pool(prompts, written, settings)
    write_rows(collected_file(run, "pool.jsonl"), pool.items)
    left_out = {reason: list(rows) for reason, rows in pool.left_out.items()}
    row = {"prompts": len(prompts), "answers": pool.answers, "items": len(pool.items), "left_out": left_out}
    write_json(collected_file(run, "sample.json"), row | {"prompts_without": list(pool.prompts_without)})
    return pool


def score_pool(run: Run, recipe: Recipe, adapter: Path | None, progress: Progress = silent) -> Scored:
    """Let an adapter, or without one the recipe's judge, score the pool.

    Raises:
        UserError: there is no pool, no judge, or the adapter was trained on another model.
    """
    from ..evaluate.scoring import score_by_adapter, score_by_judge

    pool = read_items(_pool(run))
    if adapter is not None:
        base = base_model(recipe)
        scorer = f"adapter:{_trained_on(adapter, base.sha256)}"
        found: Mapping[str, float] = score_by_adapter(
            pool, adapter, base, folder=collected_file(run, "scoring"), progress=progress
        )
    elif recipe.evaluate.judge is not None:
        scorer = f"judge:{recipe.evaluate.judge.model}"
        verdicts = collected_file(run, "scoring") / "verdicts.jsonl"
        found = score_by_judge(pool, recipe.evaluate.judge, verdicts, progress=progress)
    else:
        raise UserError(
            "nobody to score: name an adapter's folder (--adapter), or a judge in the recipe (evaluate.judge)"
        )
    add_scores(collected_file(run, "scores.jsonl"), scorer, found)
    return Scored(scorer, len(found), tuple(item.id for item in pool if item.id not in found))


def select_items(run: Run, recipe: Recipe) -> Selection:
    """Choose from the pool the items to show, and write them where the recipe looks for its items.

    Raises:
        UserError: there is no pool, the selector lacks scores, or other items stand in `collect.items` already.
    """
    settings = recipe.collect.select
    selection = select(read_items(_pool(run)), read_scores(collected_file(run, "scores.jsonl")), settings)
    target = recipe.collect.items
    if target.exists() and read_items(target) != list(selection.items):
        raise UserError(
            f"{target} (collect.items) holds other items than would be selected now; people may be labelling those. "
            "Move it away, or name another file in collect.items"
        )
    write_rows(target, selection.items)
    row = {"by": settings.by, "arms": selection.arms, "not_selected": list(selection.not_selected)}
    write_json(collected_file(run, "selection.json"), row | {"unscored": list(selection.unscored)})
    return selection


def _pool(run: Run) -> Path:
    path = collected_file(run, "pool.jsonl")
    if not path.exists():
        raise UserError(f"{run.folder} has no pool yet; `prefloop collect sample` comes first")
    return path


def _trained_on(adapter: Path, base_sha256: str) -> str:
    from ..train import read_adapter

    record = read_adapter(adapter)
    if record.base_sha256 != base_sha256:
        raise UserError(
            f"{adapter} was trained on {record.base_name} with other weights than the recipe's base model has"
        )
    return record.sha256[:16]
