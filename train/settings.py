"""The training stage's settings."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, model_validator

from ..models import SMALL_MODEL
from .checks.bounds import PreflightSettings
from .sft import SftSettings
from .votes.vote_settings import LOSSES, SMOOTHED, VoteSettings
from .watching.held_out import HeldOutSettings

Loss = Literal[
    "sigmoid",
    "sigmoid_norm",
    "hinge",
    "ipo",
    "robust",
    "exo_pair",
    "nca_pair",
    "bco_pair",
    "sppo_hard",
    "aot",
    "aot_unpaired",
    "apo_zero",
    "apo_down",
    "discopop",
    "sft",
]
Scheduler = Literal["linear", "cosine", "cosine_with_min_lr", "constant_with_warmup"]
Optimizer = Literal["adamw_torch_fused", "adamw_torch", "paged_adamw_32bit"]
Tracker = Literal["wandb", "tensorboard", "trackio"]

LENGTH_NORMALISED = {"ipo", "sigmoid_norm"}
"""Losses that TRL divides by the number of completion tokens, so that their beta lives on another scale."""
SMALLEST_NORMALISED_BETA = 0.5
LARGEST_SUMMED_BETA = 2.0
"""Above it a loss on summed log-probabilities is flat after less than half a nat: somebody meant a mean per token."""
SORTED = {"aot", "aot_unpaired"}
"""Losses that sort the log-ratios of the pairs in memory at once, and so need more than one."""


class TrainSettings(BaseModel, extra="forbid", frozen=True):
    """How an adapter is trained on preference pairs."""

    base_model: str = SMALL_MODEL
    """A Hub id or a model folder."""
    base_revision: str | None = None
    """The Hub commit, tag or branch; a release should name a commit."""
    base_adapter: Path | None = None
    """An adapter folder to go on from, which then is the reference; the lora settings must say what it is."""
    chat_template: Path | None = None
    """A Jinja file that conversations are rendered with, for a base that has no template; it goes with the result."""
    sft: SftSettings | None = None
    """A supervised stage before DPO, which then is the reference; None goes straight to DPO."""
    loss_type: tuple[Loss, ...] = Field(("sigmoid",), min_length=1)
    """TRL's names; several are added up."""
    loss_weights: tuple[float, ...] | None = None
    """One weight a loss; None weighs each with 1."""
    beta: float = Field(0.1, gt=0)
    """How strongly the model is held to the reference: 0.05 to 0.5, for length-normalised losses about 2 to 10."""
    label_smoothing: float = Field(0.0, ge=0, lt=0.5)
    """The share of wrong labels assumed by robust, exo_pair and aot losses, and by `votes.targets: smoothed`."""
    ld_alpha: float | None = Field(None, ge=0, le=1)
    """LD-DPO (arXiv 2409.06411): what the tokens beyond the shorter answer's length count; 1 or None is plain DPO."""
    learning_rate: float = Field(5e-5, gt=0)
    """The highest learning rate; LoRA takes about ten times that of full training."""
    lr_scheduler: Scheduler = "linear"
    """How the learning rate falls after the warm-up."""
    min_lr_rate: float | None = Field(None, gt=0, lt=1)
    """Where cosine_with_min_lr ends, as a share of `learning_rate`; no other scheduler reads it."""
    warmup: float = Field(0.1, ge=0, lt=1)
    """The share of the steps in which the learning rate rises to its peak."""
    optim: Optimizer = "adamw_torch_fused"
    """transformers' names. The paged one moves its states out of a full GPU; without a GPU it is plain AdamW."""
    adam_beta2: float = Field(0.999, gt=0, lt=1)
    """How slowly AdamW forgets the size of past gradients."""
    weight_decay: float = Field(0.0, ge=0)
    """How much of a weight an optimiser step takes away, times the learning rate."""
    max_grad_norm: float = Field(1.0, ge=0)
    """Gradients longer than this are cut to it; 0 cuts none."""
    epochs: int = Field(1, ge=1)
    """Passes over the pairs."""
    batch_size: int = Field(8, ge=1)
    """Pairs an optimiser step."""
    micro_batch_size: int | None = Field(None, ge=1)
    """Pairs in memory at once, a divisor of `batch_size`; None takes the whole batch."""
    max_length: int = Field(1024, ge=16)
    """Tokens of prompt and response together; a longer response loses its end, a prompt that long its pair."""
    use_peft: bool = True
    """Train an adapter; false trains all weights (in fp32, 16 bytes each with Adam's) and makes a whole model."""
    lora_rank: int = Field(16, ge=1)
    """The rank of the adapter's matrices."""
    lora_alpha: float = Field(32, gt=0)
    """The adapter's output is scaled by alpha / rank."""
    use_rslora: bool = False
    """Scale by alpha / sqrt(rank) instead (arXiv 2312.03732), so that a high rank does not learn more slowly."""
    use_dora: bool = False
    """Train each weight's length apart from its direction (DoRA, arXiv 2402.09353): better at low rank, slower."""
    target_modules: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    """Which layers get an adapter: all linear ones but the head, or layer names such as `q_proj`."""
    quantization: Literal["nf4"] | None = None
    """nf4 holds the frozen base in 4 bits (QLoRA: double quantisation, bfloat16 arithmetic)."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, about a quarter more time."""
    torch_compile: bool | None = None
    """Compile the layers; None does so on a CPU where the training is long enough to pay for it."""
    seed: int = Field(42, ge=0)
    """Draws the adapter's initial weights and the order of the pairs."""
    save_every: int = Field(50, ge=1)
    """Steps between two checkpoints, from which a killed run resumes."""
    report_to: tuple[Tracker, ...] = ()
    """Trackers that get the metrics beside the run folder's own `metrics.jsonl`."""
    held_out: HeldOutSettings = HeldOutSettings()
    """Which pairs the training is watched by instead of trained on, and when it stops for them."""
    votes: VoteSettings = VoteSettings()
    """What the loss makes of the votes behind a pair; by default nothing."""
    preflight: PreflightSettings = PreflightSettings()
    """From which share of the pairs on a finding of the preflight stops the run."""

    @model_validator(mode="after")
    def _agree(self) -> "TrainSettings":
        """Refuse combinations that TRL accepts and that quietly ruin a run."""
        problems = [problem for check in CHECKS if (problem := check(self))]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def in_memory(self) -> int:
        """Pairs in memory at once."""
        return self.micro_batch_size or self.batch_size


def _losses(settings: TrainSettings) -> str | None:
    weights, losses = settings.loss_weights, settings.loss_type
    if len(set(losses)) < len(losses):
        return f"loss_type names a loss twice: {', '.join(losses)}; name each once and weigh it with loss_weights"
    if weights is not None and len(weights) != len(losses):
        return f"loss_weights has {len(weights)} weights for {len(losses)} losses ({', '.join(losses)})"
    return None


def _beta(settings: TrainSettings) -> str | None:
    normalised = LENGTH_NORMALISED & set(settings.loss_type)
    if settings.loss_type == ("sigmoid_norm",) and settings.beta < SMALLEST_NORMALISED_BETA:
        return (
            f"beta {settings.beta} is on the scale of summed log-probabilities, but sigmoid_norm divides them by the "
            f"number of tokens and would hardly learn; take 2 to 10 (Tulu 3: 5), at least {SMALLEST_NORMALISED_BETA}"
        )
    if normalised and set(settings.loss_type) - normalised - {"sft"}:
        return (
            f"loss_type mixes {', '.join(sorted(normalised))}, which divides by the number of tokens, with losses that "
            "do not; one beta cannot serve both scales"
        )
    summed = set(settings.loss_type) - LENGTH_NORMALISED - {"sft"}
    if summed and settings.beta > LARGEST_SUMMED_BETA:
        return (
            f"beta {settings.beta} is on the scale of log-probabilities per token, but {', '.join(sorted(summed))} "
            f"adds them up over the answer and would stop learning at once; take 0.01 to 0.5, at most "
            f"{LARGEST_SUMMED_BETA}, or loss_type sigmoid_norm"
        )
    return None


def _smoothing(settings: TrainSettings) -> str | None:
    measured = settings.votes.targets == "smoothed"
    if settings.label_smoothing and not measured and not SMOOTHED & set(settings.loss_type):
        return (
            f"label_smoothing {settings.label_smoothing} has no effect on {', '.join(settings.loss_type)}; "
            "take loss_type robust or votes.targets smoothed, or leave it out"
        )
    if "exo_pair" in settings.loss_type and not settings.label_smoothing and not measured:
        return "exo_pair needs a label_smoothing above 0; its paper takes 0.001"
    return None


def _length(settings: TrainSettings) -> str | None:
    normalised = LENGTH_NORMALISED & set(settings.loss_type)
    if settings.ld_alpha is not None and normalised:
        return (
            f"ld_alpha takes length out of summed log-probabilities, but {', '.join(sorted(normalised))} divides by "
            "the number of tokens already; leave ld_alpha out"
        )
    return None


def _sorting(settings: TrainSettings) -> str | None:
    if settings.in_memory == 1 and (sorting := SORTED & set(settings.loss_type)):
        return (
            f"{', '.join(sorted(sorting))} sorts the pairs that are in memory at once, and there is only 1 of them; "
            "raise micro_batch_size"
        )
    return None


def _schedule(settings: TrainSettings) -> str | None:
    if settings.lr_scheduler == "cosine_with_min_lr" and settings.min_lr_rate is None:
        return "lr_scheduler cosine_with_min_lr needs min_lr_rate, the share of learning_rate it ends at (SmolLM3: 0.1)"
    if settings.lr_scheduler != "cosine_with_min_lr" and settings.min_lr_rate is not None:
        return f"min_lr_rate {settings.min_lr_rate} has no effect on {settings.lr_scheduler}; take cosine_with_min_lr"
    return None


def _batch(settings: TrainSettings) -> str | None:
    if settings.batch_size % settings.in_memory:
        return f"micro_batch_size {settings.micro_batch_size} does not divide batch_size {settings.batch_size}"
    return None


def _head(settings: TrainSettings) -> str | None:
    if "lm_head" in settings.target_modules:
        return "target_modules names lm_head, but DPO reads its weights directly and an adapter there would never train"
    return None


def _whole(settings: TrainSettings) -> str | None:
    if settings.use_peft:
        return None
    default = {name: TrainSettings.model_fields[name].default for name in ADAPTER_ONLY}
    given = [name for name, value in settings.model_dump(include=set(ADAPTER_ONLY)).items() if value != default[name]]
    if given:
        return f"use_peft false trains all weights, so {', '.join(given)} would have no effect; leave them out"
    return None


def _votes(settings: TrainSettings) -> str | None:
    """Say what of the section does not go with the rest of the settings, or None."""
    votes, losses = settings.votes, set(settings.loss_type)
    if votes.prior is not None and votes.targets != "soft":
        return f"votes.prior {votes.prior:g} has no effect on {votes.targets} targets; take votes.targets soft"
    if votes.tie_probability != VoteSettings().tie_probability and votes.ties == "drop":
        return "votes.tie_probability has no effect where ties are dropped; take votes.ties davidson or rao_kupper"
    if not votes.in_loss or (SMOOTHED & losses and not votes.weights and votes.ties == "drop" and votes.smoothed):
        return None
    if not LOSSES & losses or losses - LOSSES - {"sft"}:
        asked = [name for name, on in _asked(votes).items() if on]
        also = f"; targets smoothed also goes with {', '.join(sorted(SMOOTHED))}" if votes.smoothed else ""
        return (
            f"votes.{' and votes.'.join(asked)} can't be read by loss_type {', '.join(settings.loss_type)}, which is "
            f"no likelihood of a vote; take sigmoid or sigmoid_norm, with or without sft{also}"
        )
    if settings.ld_alpha is not None:
        return "votes and ld_alpha both change the loss of a pair and were never tried together; leave one of them out"
    return None


def _asked(votes: VoteSettings) -> dict[str, bool]:
    return {
        "weights": votes.weights,
        f"targets {votes.targets}": votes.targets != "hard",
        f"ties {votes.ties}": votes.ties != "drop",
    }


ADAPTER_ONLY = ("base_adapter", "lora_rank", "lora_alpha", "use_rslora", "use_dora", "target_modules", "quantization")
"""Settings of an adapter or of the frozen base under it."""
CHECKS = (_losses, _beta, _smoothing, _schedule, _length, _sorting, _batch, _head, _whole, _votes)
