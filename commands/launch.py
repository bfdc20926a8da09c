"""The files that start one training in several processes: shown, to be kept and adapted."""

from enum import StrEnum
from typing import Annotated

import typer

from ..console import say


class Kind(StrEnum):
    """What a training can be started with."""

    DDP = "ddp"
    FSDP2 = "fsdp2"
    ZERO3 = "zero3"
    SLURM = "slurm"
    KUBERNETES = "kubernetes"


def launch(kind: Annotated[Kind, typer.Argument(help="Which file.", show_default=False)]) -> None:
    """Show a file that starts `prefloop train` on several GPUs or machines; keep it with `> FILE`.

    ddp, fsdp2 and zero3 are configurations of accelerate; slurm is a job script, kubernetes a Job. On GPUs:

    prefloop launch ddp > ddp.yaml

    accelerate launch --config_file ddp.yaml --num_processes 8 "$(which prefloop)" train recipe.yaml --processes 8

    On CPUs:  torchrun --nproc-per-node 2 -- "$(which prefloop)" train recipe.yaml --processes 2

    The recipe stays as it is: batch_size counts the pairs a step of all processes together.
    """
    from ..train.scale.launching import launch_file

    file = launch_file(kind.value)
    typer.echo(file.read_text(encoding="utf-8"), nl=False)
    say(f"from {file.name}; docs/scale.md says how it is used")
