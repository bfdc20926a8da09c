"""The release of a run: written, looked through, and pushed to the Hub, its data set first."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..collect import read_pairs
from ..errors import Problems, UserError
from ..recipe import Recipe, resolved
from ..runs import Progress, Run, read_json, read_lines, silent, timed
from .data_release import write_data_release
from .decontaminating import training_rows
from .folder import base_model, collected_file, read_run_items, run_adapter
from .lineage import run_lineage
from .reporting import GATE, PAGE, REPORT, write_report_page

if TYPE_CHECKING:
    from ..publish import Release
    from ..publish.checks.problem import Problem
    from ..publish.evidence import DataRelease
    from ..publish.hub import Plan, Pushed

RELEASE, DATA = "release", "data-release"
"""Where in a run's folder the model's release lies, and the data set's."""


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a run's release."""

    release: "Release"
    model: "Pushed | None"
    """None where nothing was to be pushed."""
    data: "Pushed | None"
    """None where the votes stay here."""
    warnings: "tuple[Problem, ...]" = ()
    """What the release should be looked at for."""


@dataclass(frozen=True, slots=True)
class Look:
    """What would be pushed, and what of it must not be."""

    release: "Release"
    data: Path | None
    """The data set's folder, if one would be pushed."""
    problems: "tuple[Problem, ...]"
    plans: "tuple[Plan, ...]"
    """What would change on the Hub, the data set's repository first; none where the Hub was not asked."""
    unasked: str
    """Why the Hub wasn't asked; empty if it was."""


def release_run(
    run: Run, recipe: Recipe, progress: Progress = silent, *, data: "DataRelease | None" = None
) -> "Release":
    """Write the folder that would go to the Hub.

    Args:
        run: After an evaluation.
        recipe: Its section `publish` names, licenses and packs the release.
        progress: Called when it is done.
        data: The data set that the votes were published as, if they were.

    Raises:
        UserError: a phase is missing, or the parts don't belong together.
        Problems: the release would name this machine's folders, or publish a secret.
    """
    from ..evaluate import read_report
    from ..evaluate.gates import read_gate
    from ..publish import Evidence, shorten_report, write_release

    with timed(run, "release") as summary:
        report = read_report(run.folder / REPORT)
        write_report_page(run.folder / PAGE, run, report)
        report = shorten_report(report)
        if not recipe.publish.examples:
            report = replace(report, examples=())
        page = write_report_page(run.folder / "evaluate" / "public.html", run, report)
        base, gate = base_model(recipe), run.folder / GATE
        evidence = Evidence(
            recipe=resolved(recipe),
            base=base,
            adapter=run_adapter(run),
            collection=read_json(collected_file(run, "summary.json")),
            items=read_run_items(run),
            training=training_rows(run, recipe),
            sealed=read_pairs(collected_file(run, "sealed_pairs.jsonl")),
            report=report,
            data=data,
            metrics=read_lines(run.folder / "train" / "metrics.jsonl"),
            gate=read_gate(gate) if gate.exists() else None,
            lineage=run_lineage(run, recipe, base),
        )
        release = write_release(run.folder / RELEASE, evidence, recipe.publish, report_html=page)
        progress(1, 1)
        summary.append(f"{len(release.files)} files")
    return release


def publish_run(
    run: Run,
    recipe: Recipe,
    *,
    push: bool,
    replace_card: bool | Callable[[str], bool] = False,
    progress: Progress = silent,
) -> Published:
    """Write the release and, if it is to be pushed, push data set and model under the names that the recipe gives.

    The data set goes first, so that the model's release names the commit its votes lie in. What stands in the way of
    the model is found before anything is pushed.

    Raises:
        UserError: as `release_run` and `publish.hub.push_folder`, or there is no name to push to.
        Problems: the release says what it must not.
    """
    if not push:
        release = release_run(run, recipe)
        return Published(release, None, None, tuple(find_problems(release.folder)))
    name = _hub_name(recipe)
    release = release_run(run, recipe)
    warnings = _refuse_errors(release.folder)
    data = _push_data(run, recipe, replace_card)
    if data:
        release = release_run(run, recipe, data=_named(data))
        warnings = _refuse_errors(release.folder)
    model = _push_model(release, name, recipe.publish.private, replace_card, progress)
    return Published(release, model, data, warnings)


def look_run(run: Run, recipe: Recipe) -> Look:
    """Write exactly what would be pushed and look it through; ask the Hub what would change. Pushes nothing.

    Raises:
        UserError: as `release_run`.
    """
    from ..publish.hub import plan_push

    data_repo = recipe.publish.data.repo if recipe.publish.data else None
    folder = run.folder / DATA if data_repo else None
    if folder:
        write_data_release(run, recipe, folder)
    plans: list[Plan] = []
    unasked, known = "", None
    try:
        if folder and data_repo:
            plans.append(plan_push(folder, data_repo, kind="dataset"))
            known = _on_the_hub(plans[-1])
        release = release_run(run, recipe, data=known)
        if recipe.publish.repo:
            plans.append(plan_push(release.folder, recipe.publish.repo, kind="model"))
    except UserError as error:
        unasked = str(error)
        release = release_run(run, recipe)
    return Look(release, folder, tuple(find_problems(release.folder)), tuple(plans), unasked)


def publish_folder(
    folder: Path,
    repo: str,
    *,
    private: bool,
    replace_card: bool | Callable[[str], bool] = False,
    progress: Progress = silent,
) -> Published:
    """Push a release that was written earlier, or on another machine, as it is.

    Raises:
        UserError: a file is missing or changed, it was written for another name, or as `publish.hub.push_folder`.
        Problems: the release says what it must not.
    """
    from ..publish import read_release

    release = read_release(folder)
    if release.name != repo:
        raise UserError(
            f"{folder} was written for the name {release.name}, and its card says so; write it for {repo} "
            f"(`prefloop publish RUN --repo {repo} --dry-run`), or push it there"
        )
    warnings = _refuse_errors(folder)
    return Published(release, _push_model(release, repo, private, replace_card, progress), None, warnings)


def find_problems(folder: Path) -> "list[Problem]":
    """Return what is wrong with a release folder, and what its card claims without evidence."""
    from ..publish.checks.claims import check_claims
    from ..publish.checks.lint import lint_release

    return [*lint_release(folder), *check_claims(folder)]


def _refuse_errors(folder: Path) -> "tuple[Problem, ...]":
    """Stop before a faulty release is pushed; return what is no more than a warning."""
    found = find_problems(folder)
    if errors := [str(problem) for problem in found if problem.level == "error"]:
        raise Problems(f"{folder} was written, but nothing was pushed", errors)
    return tuple(found)


def _hub_name(recipe: Recipe) -> str:
    if recipe.publish.repo is None:
        raise UserError("a release is pushed under a name: give --repo owner/name, or publish.repo in the recipe")
    return recipe.publish.repo


def _push_model(
    release: "Release", repo: str, private: bool, replace_card: bool | Callable[[str], bool], progress: Progress
) -> "Pushed":
    from ..publish.hub import push_folder

    return push_folder(
        release.folder,
        repo,
        kind="model",
        private=private,
        message=f"Release of adapter {release.trained_sha256[:12]}",
        replace_card=replace_card,
        progress=progress,
    )


def _push_data(run: Run, recipe: Recipe, replace_card: bool | Callable[[str], bool]) -> "Pushed | None":
    from ..publish.hub import push_folder

    if recipe.publish.data is None or recipe.publish.data.repo is None:
        return None
    written = write_data_release(run, recipe, run.folder / DATA)
    return push_folder(
        written.folder,
        recipe.publish.data.repo,
        kind="dataset",
        private=recipe.publish.private,
        message=f"Release of data {written.version}",
        replace_card=replace_card,
    )


def _named(data: "Pushed") -> "DataRelease":
    from ..publish.evidence import DataRelease

    return DataRelease(data.repo, data.revision, data.tag)


def _on_the_hub(plan: "Plan") -> "DataRelease | None":
    """Return the data set's release if this very one is on the Hub."""
    from ..publish.evidence import DataRelease

    if plan.there is None or not plan.nothing_new or not plan.there.releases:
        return None
    revision = plan.there.releases[0]
    return DataRelease(plan.repo, revision, plan.there.tag(revision) or plan.there.next_tag)
