"""What the sealed pairs can show, said before anything is measured."""

from collections.abc import Sequence

from ..collect.pair import PreferencePair
from .statistics import POWER, minimum_detectable_effect, share_variance

ALIKE = 0.5
"""The correlation between base and tuned model, pair by pair, of the hopeful case; 0 is the careful one."""


def forecast(pairs: Sequence[PreferencePair], confidence: float) -> str:
    """Say how large a difference in preference accuracy these pairs will show in 80% of repetitions.

    From the hopeful case (every pair tells something of its own, and both models are right on many of the same) to the
    careful one (all pairs on a prompt say the same, and the models have nothing in common), both with accuracies
    around one half, where chance is largest (Miller 2024, arXiv 2411.00640, eq. 10).
    """
    prompts = len({pair.prompt_id for pair in pairs})
    if not prompts:
        return "There are no sealed pairs: nothing can be shown."
    hopeful, careful = (
        minimum_detectable_effect(count, share_variance(0.5, 0.5, correlation), alpha=1 - confidence)
        for count, correlation in ((len(pairs), ALIKE), (prompts, 0.0))
    )
    least, most = round(100 * hopeful), round(100 * careful)
    if least >= 100:
        size = "no difference that there can be"
    else:
        size = f"a difference of {least} to {most} points" if most < 100 else f"a difference of {least} points or more"
    return f"{len(pairs)} sealed pairs on {prompts} prompts: they show {size} in {POWER:.0%} of repetitions."
