"""The keys that take arithmetic or a look at others, one family a step; then all others, by their tables."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, get_args

from ..train import TrainSettings
from ..train.settings import LENGTH_NORMALISED, Loss, Optimizer, Scheduler, Tracker
from ..train.votes.vote_settings import LOSSES as LIKELIHOODS
from .keys import DEAD, KNOWN, LOST, OF_ADAPTERS, OURS, RENAMED
from .notes import Fate, Work, shown

RENAMED_LOSSES = {"dpo": "sigmoid", "dpo_norm": "sigmoid_norm", "aot_pair": "aot_unpaired"}
FOREIGN_LOSSES = {
    "kto_pair": "KTO on pairs is no DPO loss and TRL has removed it; its KTOTrainer takes single answers",
    "simpo": "SimPO has no reference model; TRL keeps it under experimental.cpo",
    "cpo": "CPO has no reference model; TRL keeps it under experimental.cpo",
    "orpo": "ORPO has no reference model; TRL keeps it under experimental.orpo",
}


def _model(work: Work) -> None:
    if "model_revision" in work.left:
        revision = work.left.pop("model_revision")
        if revision in (None, "main"):
            work.note(
                "model_revision", revision, Fate.ours, why="`main` is the default; a release should name a commit"
            )
        else:
            work.put("model_revision", revision, "base_revision", str(revision))
    if "model_name_or_path" not in work.left:
        work.note("model_name_or_path", None, Fate.lost, why="the file names no model; set it, or --set it at training")


def _loss(work: Work) -> None:
    key = "dpo_loss_type" if "dpo_loss_type" in work.left else "loss_type"
    asked = work.left.pop(key, None)
    losses = [str(loss) for loss in (asked if isinstance(asked, list) else [asked or "sigmoid"])]
    known = [RENAMED_LOSSES.get(loss, loss) for loss in losses]
    foreign = [loss for loss in known if loss not in get_args(Loss)]
    for loss in foreign:
        work.note(key, loss, Fate.lost, why=FOREIGN_LOSSES.get(loss, _near(loss, get_args(Loss))))
    weights = _weights(work, len(losses))
    if asked is not None and not foreign:
        fate = Fate.kept if (key, losses) == ("loss_type", known) else Fate.renamed
        work.train["loss_type"] = known
        work.note(key, asked, fate, f"train.loss_type: {shown(known)}")
    _rpo(work, known, weights)
    if "dpo_beta" in work.left:
        work.put("dpo_beta", beta := work.take("dpo_beta"), "beta", beta)
    _smoothing(work, known)
    if LENGTH_NORMALISED & set(known):
        work.warnings.append(
            f"{', '.join(known)} divides log-probabilities by the answer's length: its beta is on another scale than "
            "sigmoid's (Tulu 3 trains dpo_norm with 5) and can't be compared with it"
        )


def _weights(work: Work, losses: int) -> list[float]:
    if "loss_weights" not in work.left:
        return [1.0] * losses
    weights = work.left.pop("loss_weights")
    if weights:
        work.put("loss_weights", weights, "loss_weights", [float(weight) for weight in weights])
    else:
        work.note("loss_weights", weights, Fate.ours, why="each loss counts 1, as here")
    return [float(weight) for weight in weights or [1.0] * losses]


def _rpo(work: Work, losses: list[str], weights: list[float]) -> None:
    if "rpo_alpha" not in work.left:
        return
    if not (alpha := work.take_number("rpo_alpha")):
        work.note("rpo_alpha", alpha, Fate.dead, why="removed; it added nothing here")
        return
    work.train |= {"loss_type": [*losses, "sft"], "loss_weights": [*weights, alpha]}
    settings = f"train.loss_type: {shown([*losses, 'sft'])}, train.loss_weights: {shown([*weights, alpha])}"
    work.note(
        "rpo_alpha", alpha, Fate.renamed, settings, "removed from TRL; RPO's term is the loss sft with this weight"
    )


def _smoothing(work: Work, losses: list[str]) -> None:
    if "label_smoothing" not in work.left:
        return
    given = work.take_number("label_smoothing")
    if not given:
        work.note("label_smoothing", given, Fate.ours, why="0 is the default")
    elif LIKELIHOODS & set(losses):
        work.train |= {"label_smoothing": given, "votes": {"targets": "smoothed"}}
        settings = f"train.label_smoothing: {shown(given)}, train.votes.targets: smoothed"
        why = "cDPO, as TRL had it; TRL 1.16 reads it in robust, exo_pair and aot only"
        work.note("label_smoothing", given, Fate.renamed, settings, why)
    else:
        work.put("label_smoothing", given, "label_smoothing", given)


def _batch(work: Work) -> None:
    named = "per_device_train_batch_size" in work.left
    each = int(work.take_number("per_device_train_batch_size", 8) or 1)
    steps = int(work.take_number("gradient_accumulation_steps", 1) or 1)
    batch = each * steps * work.gpus
    product = f"{each} a device x {steps} steps x {work.gpus} GPU{'' if work.gpus == 1 else 's'} (--gpus)"
    work.train |= {"batch_size": batch, "micro_batch_size": each}
    becomes = f"train.batch_size: {batch}, train.micro_batch_size: {each}"
    fate = Fate.renamed if named else Fate.added
    work.note("per_device_train_batch_size", each if named else None, fate, becomes, product)
    if steps > 1:
        work.note("gradient_accumulation_steps", steps, Fate.renamed, f"train.batch_size: {batch}", product)


def _epochs(work: Work) -> None:
    key = "num_epochs" if "num_epochs" in work.left else "num_train_epochs"
    if key not in work.left:
        work.add(key, "epochs", 3, "TRL's default")
        return
    epochs = work.take_number(key) or 0
    if epochs == int(epochs) and epochs >= 1:
        work.put(key, epochs, "epochs", int(epochs))
    else:
        work.note(key, epochs, Fate.lost, why="a training runs whole epochs; take fewer pairs")


def _schedule(work: Work) -> None:
    if "learning_rate" not in work.left:
        work.add("learning_rate", "learning_rate", 1e-6, "TRL's default for DPO")
    named = "lr_scheduler_type" in work.left
    scheduler = str(work.left.pop("lr_scheduler_type", "linear")).lower().removeprefix("schedulertype.")
    if not named:
        pass  # linear, there as here
    elif scheduler == "constant":
        work.put("lr_scheduler_type", scheduler, "lr_scheduler", "constant_with_warmup", "with train.warmup 0")
        work.train["warmup"] = 0.0
        for key in [key for key in ("warmup_ratio", "warmup_steps") if key in work.left]:
            work.note(key, work.left.pop(key), Fate.ours, why="`constant` has no warm-up")
    elif scheduler in get_args(Scheduler):
        work.put("lr_scheduler_type", scheduler, "lr_scheduler", scheduler)
    else:
        work.note("lr_scheduler_type", scheduler, Fate.lost, why=f"there are {', '.join(get_args(Scheduler))}")
    if "lr_scheduler_kwargs" in work.left:
        _lowest(work, work.left.pop("lr_scheduler_kwargs") or {})
    if scheduler != "constant":
        _warmup(work)


def _lowest(work: Work, arguments: dict[str, Any]) -> None:
    rate = work.left.get("learning_rate", 1e-6)
    for key, value in arguments.items():
        full = f"lr_scheduler_kwargs.{key}"
        if key == "min_lr_rate":
            work.put(full, value, "min_lr_rate", float(value))
        elif key == "min_lr":
            work.put(full, value, "min_lr_rate", float(value) / float(rate), "as a share of learning_rate")
        else:
            work.note(full, value, Fate.lost, why="only min_lr_rate and min_lr")


def _warmup(work: Work) -> None:
    ratio, steps = work.take_number("warmup_ratio"), work.take_number("warmup_steps")
    if steps and steps >= 1:
        why = "`train.warmup` is a share of all steps, and how many there are depends on the pairs: set it yourself"
        work.note("warmup_steps", steps, Fate.lost, why=why)
    elif steps or (ratio is None and steps is not None):
        work.put("warmup_steps", steps, "warmup", float(steps))
    if ratio is not None and steps:
        work.note("warmup_ratio", ratio, Fate.dead, why="warmup_steps goes before it")
    elif ratio is not None:
        why = "gone with transformers 5, where warmup_steps below 1 is a share"
        work.put("warmup_ratio", ratio, "warmup", float(ratio), why)
    elif steps is None:
        work.add("warmup_steps", "warmup", 0.0, "TRL's default")


def _optimiser(work: Work) -> None:
    optim = str(work.left.pop("optim", "")).lower().removeprefix("optimizernames.")
    if optim in get_args(Optimizer):
        work.put("optim", optim, "optim", optim)
    elif optim:
        work.note("optim", optim, Fate.lost, why=f"there are {', '.join(get_args(Optimizer))}")


def _adapter(work: Work) -> None:
    key = "use_lora" if "use_lora" in work.left else "use_peft"
    asked, adapted = key in work.left, bool(work.left.pop(key, False))
    if asked and adapted:
        work.put(key, True, "use_peft", True)
    elif asked:
        work.put(key, False, "use_peft", False)
    else:
        work.add("use_peft", "use_peft", False, "without use_peft TRL trains all weights")
    if not adapted:
        for ignored in sorted(OF_ADAPTERS & set(work.left)):
            work.note(ignored, work.left.pop(ignored), Fate.ours, why="read only with use_peft")
        return
    modules = work.left.pop("lora_target_modules", None)
    if modules is None:
        work.add(
            "lora_target_modules", "target_modules", ["q_proj", "v_proj"], "PEFT's choice for Llama, Mistral, Qwen"
        )
    else:
        one = modules if modules == "all-linear" else [modules] if isinstance(modules, str) else list(modules)
        work.put("lora_target_modules", modules, "target_modules", "all-linear" if one == ["all-linear"] else one)


def _quantisation(work: Work) -> None:
    kind, four = work.left.pop("bnb_4bit_quant_type", None), work.left.pop("load_in_4bit", None)
    if four:
        work.put("load_in_4bit", True, "quantization", "nf4", "with double quantisation and bfloat16 arithmetic")
    elif four is not None:
        work.note("load_in_4bit", four, Fate.ours, why="false is the default")
    if kind == "nf4" or (kind and not four):
        work.note("bnb_4bit_quant_type", kind, Fate.ours, why="nf4 is what `quantization` has" if four else "not used")
    elif kind:
        work.note("bnb_4bit_quant_type", kind, Fate.lost, why="quantised bases are nf4")


def _memory(work: Work) -> None:
    for key in ("gradient_checkpointing", "activation_checkpointing"):
        if key in work.left:
            work.put(key, value := work.left.pop(key), "gradient_checkpointing", bool(value))


def _tracking(work: Work) -> None:
    for key in ("save_steps", "checkpointing_steps"):
        if key in work.left:
            steps = work.take_number(key) or 0
            if steps >= 1:
                work.put(key, steps, "save_every", int(steps))
            else:
                work.note(key, steps, Fate.ours, why=f"checkpoints come every {TrainSettings().save_every} steps")
    if "report_to" in work.left:
        asked = work.left.pop("report_to")
        names = asked if isinstance(asked, list) else [asked]
        known = [name for name in names if name in get_args(Tracker)]
        if known:
            work.put("report_to", asked, "report_to", known)
        else:
            work.note("report_to", asked, Fate.ours, why=f"nothing, or none of {', '.join(get_args(Tracker))}")


STEPS: tuple[Callable[[Work], None], ...] = (
    _model,
    _loss,
    _batch,
    _epochs,
    _schedule,
    _optimiser,
    _adapter,
    _quantisation,
    _memory,
    _tracking,
)


def take_rest(work: Work, key: str, value: Any) -> None:
    """Say what became of a key that needs no look at others."""
    value = work.take(key)
    if key in RENAMED:
        whole = isinstance(TrainSettings.model_fields[RENAMED[key]].default, int) and not isinstance(value, bool)
        new = int(value) if whole and isinstance(value, float) and value == int(value) else value
        work.put(key, value, RENAMED[key], new)
    elif key in DEAD:
        work.note(key, value, Fate.dead, why=DEAD[key])
    elif key in OURS:
        work.note(key, value, Fate.ours, why=OURS[key])
    elif key in LOST:
        neutral, why = LOST[key]
        work.note(
            key, value, Fate.ours if value in neutral else Fate.lost, why="the default" if value in neutral else why
        )
    else:
        work.note(key, value, Fate.unknown, why=_near(key, KNOWN))


def _near(word: str, words: Iterable[str]) -> str:
    near = get_close_matches(word, list(words), n=1)
    return f"did you mean `{near[0]}`?" if near else "no key of TRL's, alignment-handbook's or open-instruct's"
