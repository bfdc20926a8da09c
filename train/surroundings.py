"""What a training needs around it: libraries that neither phone home nor draw bars, and the trackers asked for."""

import importlib.util
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

from ..errors import Problems, UserError
from .settings import TrainSettings

EXTRAS = {
    "wandb": 'pip install "prefloop[wandb]"',
    "tensorboard": 'pip install "prefloop[tensorboard]"',
    "trackio": 'pip install "prefloop[trackio]"',
    "bitsandbytes": 'pip install "prefloop[qlora]"',
}


def refuse_missing_packages(settings: TrainSettings) -> None:
    """Check before anything else that what the settings name is installed.

    Raises:
        Problems: a tracker, or bitsandbytes for a quantised base, is missing.
    """
    wanted: dict[str, str] = {name: f"report_to names {name}" for name in settings.report_to}
    if settings.quantization:
        wanted["bitsandbytes"] = f"quantization {settings.quantization} needs bitsandbytes"
    missing = [
        f"{why}, which is not installed: {EXTRAS[name]}"
        for name, why in wanted.items()
        if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise Problems("packages are missing", missing)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep Hugging Face's libraries from drawing bars and from reporting usage; their logs go to `logging`."""
    import datasets
    from huggingface_hub import constants
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_default_handler()
    transformers_logging.enable_propagation()
    before = (
        constants.HF_HUB_DISABLE_TELEMETRY,
        datasets.are_progress_bars_disabled(),
        transformers_logging.is_progress_bar_enabled(),
    )
    constants.HF_HUB_DISABLE_TELEMETRY = True
    datasets.disable_progress_bars()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_TELEMETRY = before[0]
        if not before[1]:
            datasets.enable_progress_bars()
        if before[2]:
            transformers_logging.enable_progress_bar()


@contextmanager
def trackers(settings: TrainSettings, folder: Path, config: dict[str, Any]) -> Iterator[None]:
    """Open the trackers asked for, with their files under `folder`; transformers' own callbacks feed them.

    W&B goes by its usual environment (WANDB_MODE=offline, WANDB_PROJECT, …); neither code nor git state is sent.
    Trackio keeps its files in its own place (TRACKIO_DIR), where its dashboard looks for them; its project is named by
    TRACKIO_PROJECT; what it prints is left out, because standard output is the command's.

    Raises:
        UserError: W&B does not start, for example without a key.
    """
    # transformers 5 takes TensorBoard's folder from here and nowhere else.
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(folder / "tensorboard")
    printed = redirect_stdout(io.StringIO()) if "trackio" in settings.report_to else nullcontext()
    with printed, _wandb(settings, folder, config):
        yield


@contextmanager
def _wandb(settings: TrainSettings, folder: Path, config: dict[str, Any]) -> Iterator[None]:
    if "wandb" not in settings.report_to:
        yield
        return
    import wandb

    private = wandb.Settings(silent=True, console="off", disable_git=True, disable_code=True, save_code=False)
    project = os.environ.get("WANDB_PROJECT", "prefloop")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        run = wandb.init(project=project, dir=folder, config={"prefloop": config}, settings=private)
    except wandb.Error as error:
        raise UserError(f"W&B did not start ({error}); `wandb login`, or set WANDB_MODE=offline") from error
    with run:
        yield
