"""Benchmarks: the same questions for every model."""

import typer

from . import bench_mt

app = typer.Typer(help="Measure a model, or an adapter and its base, on benchmarks.", no_args_is_help=True)
app.command("mt-bench")(bench_mt.mt_bench)
