"""`prefloop publish`: a release written, looked through, and pushed to the Hugging Face Hub when asked to."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import facts, progress_bar, result, say, table
from ..errors import Problems, UserError
from ..runs import Progress
from .options import Overrides, RunFolder, open_recipe

if TYPE_CHECKING:
    from ..loop.publishing import Look, Published
    from ..publish.hub import Plan, Pushed
    from ..recipe import Recipe
    from ..runs import Run


def publish(
    path: Annotated[
        Path, typer.Argument(help="A recipe, a run's folder, or a release folder written earlier.", show_default=False)
    ],
    run: RunFolder = None,
    overrides: Overrides = [],  # noqa: B006  # typer reads the default, nobody changes it
    repo: Annotated[
        str | None, typer.Option(help="Push it under this name (owner/model).", metavar="NAME", show_default=False)
    ] = None,
    data_repo: Annotated[
        str | None,
        typer.Option(help="Push the votes first, as this data set (owner/data).", metavar="NAME", show_default=False),
    ] = None,
    push: Annotated[bool, typer.Option("--push", help="Push it under the recipe's name (publish.repo).")] = False,
    public: Annotated[bool, typer.Option("--public", help="Let a new repository be public.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write and check it, show what would change.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Replace a card that somebody edited on the Hub.")] = False,
) -> None:
    """Write the release folder: exactly what goes to the Hub. With --repo or --push, push it there.

    What is pushed is private unless --public is given (or publish.private is false): one commit, all or nothing, and a
    tag (v1, v2, …). An interrupted push goes on with the same command. The token is the Hub client's own: HF_TOKEN, or
    `hf auth login`.
    """
    if (path / "release.json").exists():
        _push_written(path, repo, data_repo, public=public, dry_run=dry_run, yes=yes)
        return
    settings, opened = _open(path, run, [*overrides, *_said(repo, data_repo, public=public)])
    pushing = (push or repo is not None or data_repo is not None) and not dry_run
    from ..loop import look_run, publish_run

    with opened.locked():
        if dry_run:
            _show_look(look_run(opened, settings))
            return
        with progress_bar("upload (kB)") as progress:
            done = publish_run(
                opened, settings, push=pushing, replace_card=yes or _confirm(), progress=_in_kilobytes(progress)
            )
    _show(done)
    if not pushing:
        named = f"--push pushes it to {settings.publish.repo}" if settings.publish.repo else "--repo owner/name does"
        say(f"nothing was pushed; {named}")


def _push_written(
    folder: Path, repo: str | None, data_repo: str | None, *, public: bool, dry_run: bool, yes: bool
) -> None:
    from ..loop import publish_folder

    if repo is None or data_repo is not None or dry_run:
        raise UserError(f"{folder} is a written release: it takes --repo, and neither --data-repo nor --dry-run")
    with progress_bar("upload (kB)") as progress:
        done = publish_folder(
            folder, repo, private=not public, replace_card=yes or _confirm(), progress=_in_kilobytes(progress)
        )
    _show(done)


def _open(path: Path, run: Path | None, overrides: list[str]) -> "tuple[Recipe, Run]":
    """Open a recipe's run, or the run whose folder this is."""
    if not path.is_dir():
        return open_recipe(path, run, overrides)
    if not (path / "recipe.json").exists():
        raise UserError(f"{path} is neither a run's folder (it has no recipe.json) nor a release (no release.json)")
    return open_recipe(path / "recipe.json", path, overrides)


def _said(repo: str | None, data_repo: str | None, *, public: bool) -> list[str]:
    """Return what the command line says of names and visibility, as settings of the recipe."""
    named = {"publish.repo": repo, "publish.data.repo": data_repo, "publish.private": "false" if public else None}
    return [f"{setting}={value}" for setting, value in named.items() if value is not None]


def _confirm() -> bool | Callable[[str], bool]:
    """Return who is asked before a card that somebody edited is replaced: whoever sits at the terminal."""
    if not sys.stdin.isatty():
        return False

    def ask(diff: str) -> bool:
        say(f"The card on the Hub is not the one of the last release: somebody edited it.\n{diff}")
        return typer.confirm("Replace it?", err=True)

    return ask


def _in_kilobytes(progress: Progress) -> Progress:
    return lambda done, total: progress(done // 1000, max(total // 1000, 1))


def _show(done: "Published") -> None:
    for problem in done.warnings:
        say(f"{problem.level}: {problem}")
    for pushed in (done.data, done.model):
        if pushed:
            _show_pushed(pushed)
    result(done.model.url if done.model else str(done.release.folder))


def _show_pushed(pushed: "Pushed") -> None:
    if pushed.card_diff:
        say(f"The card was replaced:\n{pushed.card_diff}")
    rows = {
        "repository": f"{pushed.url} ({'private' if pushed.private else 'public'})",
        "release": f"{pushed.tag} at {pushed.revision}",
        "pushed": ", ".join(pushed.uploaded) or "nothing: all of it was there",
    }
    rows |= {"gone": ", ".join(pushed.deleted)} if pushed.deleted else {}
    facts({"model": "Model", "dataset": "Data set"}[pushed.kind], rows)


def _show_look(look: "Look") -> None:
    folder = look.release.folder
    sizes = [(name, f"{(folder / name).stat().st_size:,}") for name in (*look.release.files, "release.json")]
    table(f"{folder}: what would be pushed", ("file", "bytes"), sizes)
    if look.data:
        rows = [(path.name, f"{path.stat().st_size:,}") for path in sorted(look.data.iterdir())]
        table(f"{look.data}: the data set that would be pushed first", ("file", "bytes"), rows)
    for plan in look.plans:
        _show_plan(plan)
    if look.unasked:
        say(f"what would change on the Hub is not known: {look.unasked}")
    for problem in look.problems:
        if problem.level == "warning":
            say(f"warning: {problem}")
    if errors := [str(problem) for problem in look.problems if problem.level == "error"]:
        raise Problems(f"{folder} would not be pushed", errors)
    say("nothing was pushed")


def _show_plan(plan: "Plan") -> None:
    if plan.there is None:
        say(f"{plan.repo} would be made, or is private and the token may not see it")
        return
    if plan.nothing_new:
        say(f"{plan.repo} has all of it already")
        return
    rows = {"new": plan.added, "changed": plan.changed, "gone": plan.deleted, "as it was": plan.same}
    facts(
        f"{plan.repo} ({'private' if plan.there.private else 'public'}), {plan.there.next_tag} then",
        {what: ", ".join(names) for what, names in rows.items() if names},
    )
    if plan.card_diff:
        edited = "; somebody edited it, and it takes --yes" if plan.card_edited else ""
        say(f"The card would change{edited}:\n{plan.card_diff}")
