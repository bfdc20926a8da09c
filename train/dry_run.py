"""All that can be known of a training before it costs anything: data, tokens, tokenizer, memory, and time if asked."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..collect import PreferencePair
from ..models import ModelFolder
from .checks.fit import Fit, check_fit
from .checks.measure import Measured, measure_step
from .checks.preflight import Preflight, preflight
from .checks.preview import Preview, preview
from .rows import in_training_order
from .settings import TrainSettings
from .watching.held_out import split

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a training would see and need."""

    preflight: Preflight
    preview: Preview | None
    fit: Fit
    held_out: tuple[str, ...]
    """Ids of pairs that will watch the training and not be trained on."""
    measured: Measured | None
    """Only where it was asked for, and nothing stops the run."""
    epochs: int

    @property
    def warnings(self) -> tuple[str, ...]:
        """Of the preflight, and where it will not fit."""
        return (*self.preflight.warnings, *self.fit.warnings)

    def as_rows(self, settings: TrainSettings) -> list[tuple[str, str]]:
        """Return what a person should see, as (name, value) rows."""
        held_out = [("of them held out", str(len(self.held_out)))] if self.held_out else []
        rows = [*self.preflight.as_rows(), *held_out, *self.fit.as_rows()]
        if self.measured:
            rows += self.measured.as_rows(settings, self.preflight.kept, self.preflight.tokens)
        return rows

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON-able values: bytes, seconds, token ids."""
        fit = asdict(self.fit) | {"fits": self.fit.fits}
        if self.fit.memory:
            fit["memory"]["total"] = self.fit.memory.total
        row: dict[str, Any] = {
            "preflight": self.preflight.as_json(),
            "preview": asdict(self.preview) if self.preview else None,
            "held_out": list(self.held_out),
            "fit": fit,
            "measured": asdict(self.measured) if self.measured else None,
            "warnings": list(self.warnings),
            "problems": list(self.preflight.problems),
        }
        if self.measured:
            row["projected_seconds"] = self.measured.whole_seconds(self.preflight.tokens, self.epochs)
        return row


def dry_run(
    pairs: Sequence[PreferencePair],
    settings: TrainSettings,
    *,
    base: ModelFolder,
    tokenizer: "PreTrainedTokenizerBase",
    left_out: Mapping[str, Sequence[str]] | None = None,
    measure: bool = False,
) -> DryRun:
    """Look at a training without doing it.

    Args:
        pairs: What is to be trained on.
        settings: Of the training.
        base: Only its config is read, unless a step is measured.
        tokenizer: With the chat template in use.
        left_out: Ids of pairs that were taken out before, by the reason.
        measure: Take one real step on the longest pairs, and throw it away.

    Raises:
        Problems: the tokenizer has no chat template.
        UserError: a setting does not fit the model.
    """
    ordered = in_training_order(pairs)
    checked = preflight(ordered, settings, tokenizer, base=base.path, left_out=left_out)
    fit = check_fit(base.path, settings, max(checked.longest, 1))
    measured = None
    if measure and not checked.problems:
        measured = measure_step(ordered, settings, base=base, tokenizer=tokenizer, longest=checked.longest)
    held_out = tuple(pair.id for pair in split(ordered, settings.held_out).held_out)
    return DryRun(checked, preview(ordered, settings, tokenizer), fit, held_out, measured, settings.epochs)
