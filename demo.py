"""The demonstration: the whole loop on the data that ships with prefloop, told as it happens."""

import importlib.util
import os
import shutil
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path

from .collect import Argilla
from .console import progress_bar, result, say, table
from .errors import UserError
from .loop import await_votes, evaluate_run, pull_votes, push_items, release_run, replay_votes, train_adapter
from .recipe import Recipe, load_recipe, recipe_run
from .runs import Progress, Run

NEEDED = ("krippendorff", "torch", "trl", "peft", "lm_eval", "altair", "vl_convert")
"""One package of each extra that the loop comes by."""
COLLECTING = ("push", "label", "pull")


@dataclass(frozen=True, slots=True)
class Phase:
    """One step of the demonstration."""

    name: str
    title: str
    work: Callable[[Progress], object]


def demo_recipe(overrides: Sequence[str], *, label: bool, merged: bool) -> Recipe:
    """Return the demonstration's recipe; with `label`, a person's own votes take the place of the recorded ones."""
    if label:
        own = ["name=demo-label", "collect.votes=null", "collect.min_votes=1", "publish.data.consent=own"]
        overrides = [*own, *overrides]
    if merged:
        overrides = ["publish.merged=true", *overrides]
    with as_file(files("prefloop.recipes") / "demo" / "recipe.yaml") as path:
        return load_recipe(path, overrides)


def run_demo(recipe: Recipe, folder: Path, *, enough: int, port: int | None, overwrite: bool) -> None:
    """Go through all phases, skipping what an earlier, interrupted run has finished.

    Raises:
        UserError: packages are missing, or the folder is not the demonstration's.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f'the demonstration needs {", ".join(missing)}: pip install "prefloop[all]"')
    run = recipe_run(recipe, folder, overwrite=overwrite)
    started = time.monotonic()
    with run.locked(), _resumable():
        if all(name in run.costs for name in COLLECTING):
            for name in COLLECTING:
                say(f"  done earlier: {run.costs[name].summary}")
        else:
            with _argilla(run, recipe, port) as argilla:
                _go_through(run, list(_collecting(run, recipe, argilla, enough)))
        _go_through(run, list(_learning(run, recipe)))
    _closing_words(run, recipe, time.monotonic() - started)


@contextmanager
def _resumable() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        say("\nstopped; the same command goes on from here")
        raise


def _collecting(run: Run, recipe: Recipe, argilla: Argilla, enough: int) -> Iterator[Phase]:
    label = partial(replay_votes, run, recipe, argilla)
    if recipe.collect.votes is None:
        label = partial(await_votes, run, recipe, argilla, enough)
    yield Phase("push", "push the queue, sealed prompts set apart first", partial(push_items, run, recipe, argilla))
    yield Phase("label", "collect the votes", label)
    yield Phase("pull", "pull the votes, make pairs", partial(pull_votes, run, recipe, argilla))


def _learning(run: Run, recipe: Recipe) -> Iterator[Phase]:
    yield Phase("train", "preflight and train LoRA DPO", partial(train_adapter, run, recipe))
    yield Phase("evaluate", "evaluate base and tuned model", partial(evaluate_run, run, recipe))
    yield Phase("release", "write the release folder", partial(release_run, run, recipe))


def _go_through(run: Run, phases: Sequence[Phase]) -> None:
    for phase in phases:
        done = run.costs.get(phase.name)
        if done is None:
            say(f"▸ {phase.title}")
            with progress_bar(phase.name) as progress:
                phase.work(progress)
        cost = run.costs[phase.name]
        say(f"  {'done earlier' if done else f'{cost.seconds:.0f} s'}: {cost.summary}")


@contextmanager
def _argilla(run: Run, recipe: Recipe, port: int | None) -> Iterator[Argilla]:
    from .collect.embedded import start_server, stop_server

    folder = run.folder / "argilla"
    say("▸ start the embedded Argilla")
    server = start_server(folder, port=port, say=lambda text: say(f"  {text}"))
    say(f"  {server.url}   user {server.username}   password in {server.password_file}")
    if recipe.collect.votes is None:
        say("  Log in, open the queue and label; this goes on by itself. Ctrl-C stops, the same command resumes.")
        if sys.platform == "darwin" or os.environ.keys() & {"DISPLAY", "WAYLAND_DISPLAY"}:
            webbrowser.open(server.url)  # elsewhere it might start a text browser in this very terminal
    try:
        with Argilla(server.url, server.api_key) as argilla:
            yield argilla
    finally:
        stop_server(folder)


def _closing_words(run: Run, recipe: Recipe, seconds: float) -> None:
    rows = [(name, f"{cost.seconds:.0f} s", f"{cost.peak_mb} MB", cost.summary) for name, cost in run.costs.items()]
    table(f"{recipe.name}: {seconds:.0f} s this time", ("phase", "time", "peak memory", ""), rows)
    result(f"\nOpen the report:  {(run.folder / 'report.html').resolve()}")
    prefloop = "prefloop" if shutil.which("prefloop") else os.path.relpath(sys.argv[0])
    messages = os.path.relpath(str(files("prefloop.recipes") / "demo" / "try-out.jsonl"))
    say(
        "\nNext, try:\n"
        f"  {prefloop} server start --folder {run.folder / 'argilla'}   # the queue and the votes, in Argilla's page\n"
        f"  {prefloop} demo --label   # label it yourself and see what that gives\n"
        f"  less {run.folder / 'release' / 'README.md'}   # the model card: every number comes from the report\n"
        f"  {prefloop} trace {run.folder}   # from the model back to each vote\n"
        f"  {prefloop} try-out {messages} {run.folder} {recipe.train.base_model}   # on twenty new messages\n"
        f"  {prefloop} publish {run.folder} --repo you/first-replies   # to the Hugging Face Hub, private"
    )
