"""The verbs about judges."""

from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import progress_bar, result, result_json, say
from ..errors import UserError
from .options import Json, Overrides, RunFolder, open_recipe

if TYPE_CHECKING:
    from ..evaluate.attacks import AttackReport
    from ..evaluate.judge_audit import JudgeAudit
    from ..loop.judge_audits import Asked, Material
    from ..recipe import Recipe
    from ..runs import Run

app = typer.Typer(help="Whether a judge can be trusted.", no_args_is_help=True)


RecipeOrFiles = Annotated[Path | None, typer.Argument(help="The recipe (YAML).", show_default="--items and --votes")]
Items = Annotated[Path | None, typer.Option(help="Without a recipe: items (JSON lines).")]
Votes = Annotated[Path | None, typer.Option(help="Without a recipe: votes on them (JSON lines).")]
Out = Annotated[Path, typer.Option(help="Without a recipe: the folder for what is found.")]
Url = Annotated[str | None, typer.Option(help="An OpenAI-compatible endpoint.", show_default="the recipe's judge")]
Model = Annotated[str | None, typer.Option(help="The judge's name there; without --judge-url a local model.")]
KeyEnv = Annotated[str | None, typer.Option(help="The environment variable that holds its key.")]
Instructions = Annotated[str | None, typer.Option(help="With --judge-model: what makes an answer better.")]
InFlight = Annotated[int, typer.Option(help="With --judge-url: questions under way at once.", min=1)]
Limit = Annotated[int | None, typer.Option(help="Ask about so many items only.", min=1)]
Margin = Annotated[
    float | None,
    typer.Option(
        help="How far below people it may be and still gate.", min=0, max=0.5, show_default="the recipe's, 0.1"
    ),
]
Attacks = Annotated[bool, typer.Option("--attacks", help="Also attack it, on 50 items: up to 600 questions.")]


@app.command("audit")
def judge_audit(
    recipe: RecipeOrFiles = None,
    run: RunFolder = None,
    overrides: Overrides = [],  # noqa: B006
    items: Items = None,
    votes: Votes = None,
    out: Out = Path("judge-audit"),
    judge_url: Url = None,
    judge_model: Model = None,
    api_key_env: KeyEnv = None,
    instructions: Instructions = None,
    in_flight: InFlight = 8,
    limit: Limit = None,
    margin: Margin = None,
    attacks: Attacks = False,
    as_json: Json = False,
) -> None:
    """Compare a judge with people's votes on the same items, and say whether it may decide in their place.

    Every item is asked in both orders with the prompt that win rates are judged with. With a recipe the items are the
    run's, sealed prompts left alone, and the judge is evaluate.judge; what was found lies in evaluate/judge_audit of
    the run. Any items with votes can be used instead, for example from `prefloop collect import`. Nothing is asked
    twice: interrupt it whenever you like, the same command goes on.
    """
    from ..evaluate.judge_audit import AuditSettings
    from ..loop.judge_audits import attack as run_attacks
    from ..loop.judge_audits import audit, write_audit_page
    from ..loop.reporting import refresh_report

    named = _named(judge_url, judge_model, api_key_env, in_flight, instructions)
    settings, opened = open_recipe(recipe, run, overrides) if recipe else (None, None)
    material, asked, folder = _material(settings, opened, items, votes, out, named, limit)
    if margin is None:
        margin = (settings.evaluate.audit if settings else AuditSettings()).margin
    attacked = None
    with opened.locked() if opened else nullcontext():
        _say_before(material, asked, folder)
        with progress_bar("audit") as progress:
            found = audit(material, asked, folder, margin=margin, progress=progress)
        if attacks:
            with progress_bar("attacks") as progress:
                attacked = run_attacks(material, asked, folder, progress=progress)
        if opened:
            refresh_report(opened)
    page = write_audit_page(folder, found, attacked)
    if as_json:
        result_json({"audit": asdict(found), "attacks": asdict(attacked) if attacked else None})
    else:
        _show(found, attacked)
    say(f"page: {page}")


def _show(found: "JudgeAudit", attacked: "AttackReport | None") -> None:
    from ..evaluate.attacks import words as attack_words
    from ..evaluate.judge_audit import words

    for sentence in (*words(found), *(attack_words(attacked) if attacked else ())):
        result(sentence)


def _named(
    url: str | None, model: str | None, api_key_env: str | None, in_flight: int, instructions: str | None
) -> "Asked | None":
    """Return the judge that the command line names, if it names one."""
    from ..asking import EndpointSettings
    from ..evaluate.judges.pairs import INSTRUCTIONS
    from ..loop.judge_audits import Asked

    if url is None and model is None:
        return None
    if model is None:
        raise UserError(f"which model at {url} is the judge? Name it with --judge-model")
    if url is None:
        from ..models import resolve_model

        return Asked(resolve_model(model), instructions or INSTRUCTIONS)
    try:
        endpoint = EndpointSettings(base_url=url, model=model, api_key_env=api_key_env, in_flight=in_flight)
    except ValueError as error:
        raise UserError(f"--judge-url can't be used: {error}") from error
    return Asked(endpoint, instructions or INSTRUCTIONS)


def _material(
    recipe: "Recipe | None",
    run: "Run | None",
    items: Path | None,
    votes: Path | None,
    out: Path,
    named: "Asked | None",
    limit: int | None,
) -> "tuple[Material, Asked, Path]":
    from ..loop.judge_audits import file_material, recipe_judge, run_material

    if recipe is None and items is not None and votes is not None:
        if named is None:
            raise UserError("name the judge with --judge-url and --judge-model")
        return file_material(items, votes, limit), named, out
    if recipe is None or run is None or items is not None or votes is not None:
        raise UserError("give a recipe, or both --items and --votes")
    return run_material(run, limit), named or recipe_judge(recipe), run.folder / "evaluate" / "judge_audit"


def _say_before(material: "Material", asked: "Asked", folder: Path) -> None:
    """Say what the audit is about, what it leaves alone, and what it will cost."""
    from ..asking import describe_cost
    from ..loop.judge_audits import audit_cost

    say(f"{len(material.items)} items with {len(material.votes)} votes")
    for count, why in (
        (material.sealed, "are on sealed prompts, which are left alone"),
        (material.without_votes, "have no vote that counts"),
        (material.over_limit, "are beyond --limit"),
    ):
        if count:
            say(f"{count} more {why}")
    if estimate := audit_cost(material, asked, folder):
        say(describe_cost(estimate))
