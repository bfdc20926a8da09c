"""The shipped files that start one training in several processes."""

from pathlib import Path

FOLDER = Path(__file__).parent / "launch"


def launch_file(name: str) -> Path:
    """Return the shipped file of this name: ddp, fsdp2, zero3 (accelerate's configurations), slurm, kubernetes."""
    return next(path for path in FOLDER.iterdir() if path.stem == name)
