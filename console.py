"""How prefloop looks in a terminal: progress and logs to stderr, results to stdout."""

import json
import logging
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from .runs import Progress as Report

out = Console()
err = Console(stderr=True)


def say(text: str = "") -> None:
    """Tell the user something on stderr; markup is not interpreted."""
    err.print(text, markup=False, highlight=False, soft_wrap=True)


def result(text: str) -> None:
    """Write a line of the result to stdout, as it is."""
    out.print(text, markup=False, highlight=False, soft_wrap=True)


def piece(text: str) -> None:
    """Write a piece of a result that is still being made to stdout, at once and without a line's end."""
    sys.stdout.write(text)
    sys.stdout.flush()


def beside(left_title: str, left: str, right_title: str, right: str) -> None:
    """Write two texts to stdout: side by side in a terminal, otherwise one after the other."""
    if not out.is_terminal:
        result(f"{left_title}: {left}\n{right_title}: {right}")
        return
    drawn = Table(show_lines=True, expand=True)
    drawn.add_column(left_title, ratio=1, overflow="fold")
    drawn.add_column(right_title, ratio=1, overflow="fold")
    drawn.add_row(Text(left), Text(right))
    out.print(drawn)


def result_pieces(pieces: Iterable[tuple[str, str]]) -> None:
    """Write (text, style) pieces to stdout, one after the other, coloured where there is a terminal."""
    text = Text()
    for piece, style in pieces:
        text.append(piece, style)
    out.print(text, highlight=False, soft_wrap=True)


def result_tree(tree: Tree) -> None:
    """Write a tree of the result to stdout; long lines are left whole where there is no terminal."""
    drawn = out if out.is_terminal else Console(width=10_000)
    drawn.print(tree, markup=False, highlight=False)


def result_json(value: object) -> None:
    """Write the result to stdout as JSON."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a table to stdout."""
    drawn = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        drawn.add_column(column, overflow="fold")  # a path cut short helps nobody
    for row in rows:
        drawn.add_row(*(str(cell) for cell in row))
    out.print(drawn, markup=False)


def facts(title: str, rows: Mapping[str, object]) -> None:
    """Write a two-column table of names and values to stdout."""
    table(title, ("", ""), rows.items())


@contextmanager
def progress_bar(title: str) -> Iterator[Report]:
    """Show a bar with the time left while the block runs; without a terminal, a line every tenth of the way."""
    if not err.is_terminal:
        yield plain_progress(title)
        return
    with bar() as drawn:
        task = drawn.add_task(title, total=None)
        yield lambda done, total: drawn.update(task, completed=done, total=total)


def bar() -> Progress:
    """Return a bar with the time left, not yet shown."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=err, transient=True)


def log_to_stderr(*, verbose: bool) -> None:
    """Show prefloop's own log lines; other libraries' only from warnings up, and no advice meant for their callers."""
    if not verbose:
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
    handler = RichHandler(console=err, show_path=False, show_time=False, show_level=False, markup=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    # On import it reports a missing optional kernel as a warning, on every machine without a GPU.
    logging.getLogger("bitsandbytes").setLevel(logging.WARNING if verbose else logging.ERROR)
    logging.getLogger("prefloop").setLevel(logging.DEBUG if verbose else logging.INFO)


def log_errors_only() -> None:
    """Log no more than errors: for a process beside the one that speaks for all."""
    logging.getLogger().setLevel(logging.ERROR)
    logging.getLogger("prefloop").setLevel(logging.ERROR)


def plain_progress(title: str) -> Report:
    """Return a progress that tells every tenth of the way in a line."""
    shown = -1

    def show(done: int, total: int) -> None:
        nonlocal shown
        tenth = 10 * done // max(total, 1)
        if tenth != shown:
            shown = tenth
            say(f"  {title}: {done} of {total}")

    return show
