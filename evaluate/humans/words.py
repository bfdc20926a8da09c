"""What a round of people says, in sentences."""

from collections.abc import Iterator

from ..estimate import WinRate
from ..words import percent
from .result import HumanRound

LOW_ALPHA = 0.2
"""Below it Landis and Koch (1977, Biometrics 33, 159-174) call agreement slight."""
LOW_AGREEMENT = 0.75
"""Above it a low alpha says nothing against people: one model may simply win nearly everywhere."""


def words(found: HumanRound, judged: WinRate | None = None) -> tuple[str, ...]:
    """Say who people prefer, how surely, and what to know before believing it.

    Args:
        found: The round.
        judged: The judge's, or the task check's, win rate on the same prompts, to stand beside it.
    """
    return tuple(_sentences(found, judged))


def _sentences(found: HumanRound, judged: WinRate | None) -> Iterator[str]:
    if found.rate is None:
        yield f"Nobody has voted yet on the {found.asked} prompts in {found.queue}."
        return
    rate = found.rate
    yield (
        f"People prefer the tuned model in {percent(rate.value)} of comparisons, ties counted half (interval "
        f"{percent(rate.low)} to {percent(rate.high)}; {_people(found.annotators)}, "
        f"{sum(found.choices.values())} votes on {found.asked - len(found.unlabelled)} prompts, shown blind and in "
        f"random order): {found.verdict}."
    )
    if judged is not None:
        yield _beside(found, judged)
    if found.equal:
        yield f"On {len(found.equal)} of {found.prompts} prompts both answers are equal: ties without asking."
    if found.unlabelled:
        yield f"{len(found.unlabelled)} of {found.asked} prompts have no vote yet, and are taken to be like the others."
    if found.unfinished:
        yield f"{len(found.unfinished)} more have fewer votes than the queue asks for."
    if found.refused:
        yield f"{len(found.refused)} prompts could not be shown and are in no number."
    yield from _agreement(found)


def _beside(found: HumanRound, judged: WinRate) -> str:
    assert found.rate is not None
    name = "The task check" if judged.judge == "check" else f"The judge {judged.judge}"
    apart = found.rate.low > judged.rate.high or found.rate.high < judged.rate.low
    return (
        f"{name} says {percent(judged.rate.value)} ({percent(judged.rate.low)} to {percent(judged.rate.high)}; "
        f"{judged.unscored} unscored)"
        + (": the intervals do not meet, so believe the people and audit the judge." if apart else ".")
    )


def _agreement(found: HumanRound) -> Iterator[str]:
    agreed = found.agreement
    if found.annotators == 1:
        yield "One person alone voted: how much another would differ is in no interval."
    if agreed.pairwise is None or agreed.pairwise_interval is None:
        yield "No prompt has two votes, so how far people agree is not known."
        return
    low, high = agreed.pairwise_interval
    yield f"Two votes on the same prompt agree in {percent(agreed.pairwise)} ({percent(low)} to {percent(high)})."
    if agreed.alpha is not None and agreed.alpha < LOW_ALPHA and high < LOW_AGREEMENT:
        yield (
            f"Beyond chance they hardly agree (Krippendorff's alpha {agreed.alpha:.2f}): mend the guidelines before "
            "asking more people."
        )


def _people(count: int) -> str:
    return "1 annotator" if count == 1 else f"{count} annotators"
