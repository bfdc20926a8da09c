"""A training in the terminal: a bar, and under it how the model fares; plain lines where there is no terminal."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.live import Live
from rich.table import Table

from ..console import bar, err, plain_progress, say
from ..runs import OnMetrics, Progress, silent, unheard

if TYPE_CHECKING:
    from ..train import Adapter

Row = Mapping[str, Any]
LINES = 10
"""Without a terminal, a line about every so many rows of metrics at most; measurements are always told."""


@dataclass(frozen=True, slots=True)
class View:
    """What a training calls to be seen."""

    progress: Progress = silent
    metrics: OnMetrics = unheard
    """Takes rows of metrics.jsonl."""


@contextmanager
def watched_training(title: str) -> Iterator[View]:
    """Show a training while the block runs."""
    if not err.is_terminal:
        yield View(plain_progress(title), _lines())
        return
    progress, latest = bar(), dict[str, Any]()
    task = progress.add_task(title, total=None)

    with Live(progress, console=err, transient=True, refresh_per_second=4) as live:

        def report(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        def row(found: Row) -> None:
            latest.update(found)
            live.update(Group(progress, _table(latest)))
            if _measured(found):
                say(training_line(found))

        yield View(report, row)


def training_line(row: Row) -> str:
    """Return a row of metrics in one line: what was measured on held-out pairs if it was, else on the step's own."""
    return f"step {row['step']}: " + ", ".join(f"{name} {value}" for name, value in facts_of(row))


def facts_of(row: Row) -> list[tuple[str, str]]:
    """Return what is shown of a row, in order; what the row does not have is left out."""
    shown = [("loss", f"{row['loss']:.3f}")] if "loss" in row else []
    if _measured(row):
        shown += [("held-out accuracy", _share(row, "eval_rewards/accuracies"))]
        shown += [("pick the longer", f"{row['eval_longer']:.0%}"), ("margin", f"{row['eval_rewards/margins']:.2f}")]
        shown += [("chosen drift", f"{row['eval_chosen_drift']:+.1f} nats")]
    elif "rewards/margins" in row:
        shown += [("accuracy", f"{row['rewards/accuracies']:.0%}"), ("margin", f"{row['rewards/margins']:.2f}")]
    if "pairs_per_second" in row:
        shown += [("speed", f"{row['pairs_per_second']:.2g} pairs/s"), ("memory", f"{row['memory_mb'] / 1024:.1f} GiB")]
    return shown


def outcome(adapter: "Adapter") -> dict[str, str]:
    """Return what the held-out pairs say of a finished training, for its table; nothing where none were held out."""
    if not adapter.held_out:
        return {}
    chosen = f"; {adapter.stopping.why}, so the number flatters it" if adapter.stopping else ""
    found = adapter.held_out
    return {
        "held-out accuracy": f"{_share(found, 'eval_rewards/accuracies')}{chosen}",
        "pick the longer": f"{found['eval_longer']:.0%}",
    }


def _table(latest: Row) -> Table:
    """Draw the latest of every metric as a row of figures."""
    shown = facts_of(latest)
    drawn = Table.grid(padding=(0, 3))
    drawn.add_row(*(f"[dim]{name}[/dim]" for name, _ in shown))
    drawn.add_row(*(value for _, value in shown))
    return drawn


def _lines() -> OnMetrics:
    seen = 0

    def show(row: Row) -> None:
        nonlocal seen
        seen += 1
        if _measured(row) or seen % LINES == 1:
            say(f"  {training_line(row)}")

    return show


def _measured(row: Row) -> bool:
    return "eval_rewards/accuracies" in row


def _share(row: Row, name: str) -> str:
    return f"{row[name]:.0%} ({row[f'{name}_low']:.0%} to {row[f'{name}_high']:.0%})"
