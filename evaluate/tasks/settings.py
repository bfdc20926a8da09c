"""What a run of benchmark tasks can be told."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from .catalogue import known_names, resolve_name

OWN_SUFFIXES = (".yaml", ".yml", ".jsonl")


class TasksSettings(BaseModel):
    """Which tasks are asked, of which data, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: tuple[str | Path, ...] = Field(default=("leaderboard_v2",), min_length=1)
    """`leaderboard_v2` or `leaderboard_v1`, any benchmark of theirs (`bbh`, `gsm8k`), any of lm-eval's tasks in them
    (`mmlu_anatomy`), or the path of an lm-eval task (.yaml) or of questions (.jsonl) of one's own."""
    data_dir: Path | None = None
    """A folder that holds the data, laid out as in docs/leaderboard.md; without one they come from the Hub."""
    limit: int | None = Field(default=None, gt=0)
    """Ask only the first so many questions of each of lm-eval's tasks. The score is then not the leaderboard's."""
    apply_chat_template: bool = False
    """Put prompts into the model's chat template."""
    fewshot_as_multiturn: bool = True
    """With the chat template, give worked examples as turns of a conversation."""
    num_fewshot: int | None = Field(default=None, ge=0)
    """Worked examples before each question, where the benchmark has any; None: as many as it has."""
    batch_size: int = Field(default=16, gt=0)
    """Sequences in one forward pass."""
    margin: float | None = Field(default=0.02, gt=0, lt=1)
    """The loss in raw score that would not matter, as a share; None: none is known."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """The probability with which an interval should hold the true value."""

    @field_validator("run")
    @classmethod
    def _names_are_known(cls, names: tuple[str | Path, ...]) -> tuple[str | Path, ...]:
        # A recipe's paths are relative to the recipe, and a path is told by its type.
        told = tuple(Path(name) if str(name).endswith(OWN_SUFFIXES) else str(name) for name in names)
        for name in told:
            if isinstance(name, str) and not resolve_name(name):
                raise ValueError(
                    f"{name!r} is no task: known are {', '.join(known_names())}, lm-eval's names for their parts, "
                    "and paths that end in .yaml or .jsonl"
                )
        return told
