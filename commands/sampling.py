"""The verbs that make items: sample answers to prompts, score the pairs, select those worth people's time."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import facts, progress_bar, say
from .options import Overrides, RecipePath, RunFolder, open_recipe

app = typer.Typer()

AdapterFolder = Annotated[
    Path | None,
    typer.Option("--adapter", help="Score with this adapter's implied reward.", show_default="the recipe's judge"),
]


@app.command("sample")
def collect_sample(recipe: RecipePath, run: RunFolder = None, overrides: Overrides = []) -> None:  # noqa: B006
    """Let models answer the prompts of `collect.sample`, and pool every pair of presentable answers.

    Kill it whenever you like; the same command goes on. Then `select` says which pairs people are asked about.
    """
    from ..loop import sample_items

    settings, opened = open_recipe(recipe, run, overrides)
    with opened.locked(), progress_bar("sample") as progress:
        pool = sample_items(opened, settings, progress)
    rows: dict[str, object] = {"answers": pool.answers, "items in the pool": len(pool.items)}
    rows |= {f"left out: {reason}": len(ids) for reason, ids in pool.left_out.items()}
    facts("Sampled", rows | {"prompts with fewer than two answers": len(pool.prompts_without)})
    if len(pool.left_out.get("cut off", ())) > pool.answers / 10:
        say("warning: more than one answer in ten was cut off; raise max_new_tokens of the writers")
    say(f"Which answers were left out and why: {opened.folder / 'collect' / 'sample.json'}")
    say("Next: `prefloop collect select`, or first `prefloop collect score` if a selector is to choose.")


@app.command("score")
def collect_score(
    recipe: RecipePath,
    adapter: AdapterFolder = None,
    run: RunFolder = None,
    overrides: Overrides = [],  # noqa: B006
) -> None:
    """Score the pool: how sure is an adapter, or the recipe's judge, which answer is the better one?

    Run it for several adapters or judges to select by their disagreement.
    """
    from ..loop import score_pool

    settings, opened = open_recipe(recipe, run, overrides)
    with opened.locked(), progress_bar("score") as progress:
        scored = score_pool(opened, settings, adapter, progress)
    facts("Scored", {"scorer": scored.scorer, "items": scored.items, "without a verdict": len(scored.unscored)})


@app.command("select")
def collect_select(recipe: RecipePath, run: RunFolder = None, overrides: Overrides = []) -> None:  # noqa: B006
    """Choose from the pool the pairs that people are asked about, and write them to `collect.items`.

    A random share is always among them (`collect.select.control`), so that the selector's gain can be measured.
    """
    from ..loop import select_items

    settings, opened = open_recipe(recipe, run, overrides)
    with opened.locked():
        selection = select_items(opened, settings)
    rows: dict[str, object] = {f"by {arm}": count for arm, count in selection.arms.items()}
    facts("Selected", rows | {"not selected": len(selection.not_selected), "without a score": len(selection.unscored)})
    say(f"Written to {settings.collect.items}. Next: `prefloop collect push`.")
