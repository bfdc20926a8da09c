"""A sweep's verdict and its caveats, in words that need no statistics."""

from collections.abc import Iterator

from ..estimate import Estimate
from ..words import percent, points
from .result import PairTest, SettingResult, Sweep

DEARER = 1.25
"""A training that takes so many times as long as the reference's costs more."""
FEW_PROMPTS = 30


def headline(found: Sweep) -> str:
    """Say in a few words what won; of a setting alone, whether it beats the better length rule."""
    if found.winner:
        return f"Best: {found.setting(found.winner).label}"
    return "Can't tell which is best" if len(found.settings) > 1 else _against_rule(found)


def summarise(found: Sweep) -> str:
    """Say who is ahead, by how much and how surely, or what it would take to know."""
    first, *others = found.settings
    said = f"orders {_share(first.reward)} of the {len(found.pair_ids)} {found.on} pairs as the annotators did"
    if not others:
        with_seeds = f"{len(first.seeds)} seed{'s' * (len(first.seeds) != 1)}"
        over = f"{_points(first.over_rule)} points over picking the {found.rule} answer"
        return f"One setting, with {with_seeds}: it {said}, {over}."
    if found.winner:
        other = "the other setting" if len(others) == 1 else f"each of the {len(others)} other settings"
        return f"{first.label} {said}: more than {other} by more than chance ({_tests(found)})."
    return " ".join([f"{first.label} is in front: it {said}.", *_against_reference(found), *_better_ones(found)])


def caveats(found: Sweep) -> tuple[str, ...]:
    """List what a reader must know before choosing by this sweep."""
    return (*_about_seeds(found), *_about_choice(found), *_about_rules(found), *_about_cost(found), *_about_data(found))


def outlook(test: PairTest, pairs: int) -> str:
    """Say what it would take to show a difference as large as the one seen, four times out of five."""
    ways = []
    if test.more_pairs is not None and test.more_pairs > pairs:
        ways.append(f"about {test.more_pairs} pairs instead of {pairs}")
    if test.more_seeds is not None and test.more_seeds > test.seeds:
        ways.append(f"{test.more_seeds} seeds instead of {test.seeds}")
    if ways:
        return " or ".join(ways)
    return "more pairs and more seeds together" if test.difference.value else "nothing: there is no difference to show"


def _against_rule(found: Sweep) -> str:
    over = found.settings[0].over_rule
    ahead = "Better than" if over.low > 0 else "Worse than" if over.high < 0 else "Not told from"
    return f"{ahead} “pick the {found.rule}”"


def _against_reference(found: Sweep) -> Iterator[str]:
    first, second = found.settings[0].name, found.settings[1].name
    other = found.reference if found.reference != first else second
    test = found.test(first, other)
    if test is None:
        yield "It shares no seed with the setting it would be compared with."
        return
    than = found.setting(other).label + (" (the recipe's own setting)" if not found.setting(other).changes else "")
    yield (
        f"It is {_points(test.for_(first))} points ahead of {than}; chance alone would do that in {_chance(test.p)}, "
        f"after Holm's correction for {len(found.tests)} comparison{'s' * (len(found.tests) != 1)} in "
        f"{_chance(test.adjusted)}."
    )
    if not found.better(first, other) and test.difference.value:
        yield f"To show a difference of this size it would take {outlook(test, len(found.pair_ids))}."


def _better_ones(found: Sweep) -> Iterator[str]:
    better = [one.label for one in found.settings if one.name != found.reference and _is_better(found, one)]
    reference = found.setting(found.reference).label
    if better == [found.settings[0].label]:
        yield f"So it is shown to be better than {reference}, but not than every other setting."
    elif better:
        yield f"Shown to be better than {reference}: {'; '.join(better)}. Which of them is best is open."


def _is_better(found: Sweep, one: SettingResult) -> bool:
    return found.better(one.name, found.reference)


def _about_seeds(found: Sweep) -> Iterator[str]:
    if found.seeds == 1 and len(found.settings) == 1:
        yield "One seed's luck is in no interval. Add seeds with --seeds 3; what is trained already is kept."
    elif found.seeds == 1:
        yield (
            "With one seed a setting nothing can be told from a seed's luck: the intervals are those of these very "
            "trainings, and no winner is named. Add seeds with --seeds 3; what is trained already is kept."
        )
    uneven = [one.label for one in found.settings if len(one.seeds) < max(len(each.seeds) for each in found.settings)]
    if uneven:
        yield f"Not trained with every seed: {'; '.join(uneven)}."
    for name, why in found.failed.items():
        yield f"{name} came to no end: {why}"


def _about_choice(found: Sweep) -> Iterator[str]:
    if found.on == "sealed":
        times = "once" if found.openings == 1 else f"{found.openings} times"
        yield (
            f"These are the sealed pairs, opened {times} by now. Whoever chooses a setting by them can no longer "
            "measure it on them: the chosen one's numbers, here and in a later prefloop evaluate, are too good."
        )
    elif len(found.settings) > 1:
        yield (
            "The setting in front was chosen on these pairs, so its own number here is somewhat too good. How good it "
            "is, prefloop evaluate says, on the sealed pairs, which no cell of this sweep saw."
        )


def _about_rules(found: Sweep) -> Iterator[str]:
    beyond = [one for one in found.settings if one.over_rule.low > 0]
    said = f"picking the {found.rule} answer gets {percent(found.by_rule.value)} right"
    if not beyond:
        yield f"No setting is shown to know more than length: {said} on the same pairs."
    elif len(beyond) < len(found.settings):
        yield f"Not every setting is shown to know more than length ({said}); {len(beyond)} of them do."
    coins = [one.label for one in found.settings if one.reward.low <= 0.5]
    if coins:
        yield f"Not told from a coin: {'; '.join(coins)}."


def _about_cost(found: Sweep) -> Iterator[str]:
    reference = found.setting(found.reference)
    for one in found.settings:
        times = one.seconds / reference.seconds if reference.seconds else 1.0
        if times >= DEARER and not _is_better_or_same(found, one):
            yield f"{one.label} trains {times:.1f} times as long as {reference.label} and is not shown to be better."


def _is_better_or_same(found: Sweep, one: SettingResult) -> bool:
    return one.name == found.reference or _is_better(found, one)


def _about_data(found: Sweep) -> Iterator[str]:
    if found.prompts < FEW_PROMPTS:
        yield f"There are only {found.prompts} prompts to compare on, which tells large differences only."
    for entry in found.left_out:
        yield f"{entry.count} left out: {entry.reason}."


def _tests(found: Sweep) -> str:
    count = len(found.tests)
    return "one paired comparison" if count == 1 else f"{count} paired comparisons, corrected for by Holm's method"


def _share(estimate: Estimate) -> str:
    return f"{percent(estimate.value)} (interval {percent(estimate.low)} to {percent(estimate.high)})"


def _points(estimate: Estimate) -> str:
    return f"{points(estimate.value)} (interval {points(estimate.low)} to {points(estimate.high)})"


def _chance(p: float) -> str:
    return "less than 1 case in 1,000" if p < 0.001 else f"{100 * p:.{1 if p < 0.1 else 0}f}% of cases"
