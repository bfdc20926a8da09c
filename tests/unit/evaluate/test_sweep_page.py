import random
import re
from dataclasses import replace

import pytest
from prefloop.collect import Message, PreferencePair
from prefloop.evaluate.estimate import LeftOut
from prefloop.evaluate.likelihood import PairScore, Scored
from prefloop.evaluate.preference import reward_margins
from prefloop.evaluate.statistics import Plan
from prefloop.evaluate.sweeps.measure import Measured, TrainedCell, measure_sweep
from prefloop.evaluate.sweeps.page import COLUMNS, render_sweep, setting_row
from prefloop.evaluate.sweeps.words import caveats, headline, summarise

TRAIN = {"beta": 0.1, "learning_rate": 1e-4, "votes": {"ties": "drop"}}
PAIRS = [
    PreferencePair((Message("user", f"Question {number}"),), "yes", "no", 1.0, "item", ("vote",))
    for number in range(80)
]


def score(chosen, rejected=-10.0, tokens=(5, 4)):
    return PairScore(Scored(chosen, tokens[0]), Scored(rejected, tokens[1]))


BASE = [score(-10.0, tokens=(5, 4) if number % 5 else (4, 5)) for number in range(80)]


def cell(changes, seed, right, seconds=100.0):
    """A training that gets this share of the pairs right."""
    draw = random.Random(f"{changes} {seed}")
    scores = [score(-9.0 if draw.random() < right else -11.0) for _ in PAIRS]
    name = ",".join(f"{key}={value}" for key, value in changes.items()) or "recipe"
    return TrainedCell(changes, name, seed, BASE, scores, seconds, 36, f"{seed:064d}")


def swept(*rights, seeds=3, seconds=(), on="held-out", failed=None):
    cells = [
        cell({"beta": (number + 1) / 10} if number else {}, seed, right, (list(seconds) + [100.0] * 9)[number])
        for number, right in enumerate(rights)
        for seed in range(seeds)
    ]
    left_out = (LeftOut("ties and edits", ("a", "b")),)
    measured = Measured("main", on, 2 if on == "sealed" else 0, 240, PAIRS, BASE, left_out, TRAIN)
    return measure_sweep(measured, cells, failed or {}, Plan())


def test_a_clear_winner_is_named_and_every_comparison_counted():
    found = swept(0.5, 0.95, 0.55, 0.6)
    assert found.winner == found.settings[0].name == "beta=0.2"
    assert len(found.tests) == 6
    assert headline(found) == "Best: beta 0.2"
    assert "6 paired comparisons" in summarise(found)
    assert all(test.adjusted >= test.p for test in found.tests)


def test_settings_of_the_same_worth_have_no_winner_and_a_price_of_knowing():
    found = swept(0.8, 0.8, 0.8)
    assert found.winner is None
    assert headline(found) == "Can't tell which is best"
    assert re.search(r"it would take (about \d+ pairs instead of 80|.*seeds)", summarise(found))


def test_one_seed_names_nobody_however_far_ahead():
    found = swept(0.3, 0.99, seeds=1)
    assert found.winner is None
    assert any("one seed" in caveat for caveat in caveats(found))


@pytest.mark.parametrize(("right", "said"), [(0.99, "Better than"), (0.3, "Worse than"), (0.8, "Not told from")])
def test_a_setting_alone_is_held_against_the_length_rule(right, said):
    found = swept(right)
    assert headline(found) == f"{said} “pick the {found.rule}”"
    assert re.match(
        r"One setting, with 3 seeds: it orders .* \(interval .*\) points over picking the", summarise(found)
    )
    assert "between settings" not in render_sweep(found)
    assert not any("luck" in caveat for caveat in caveats(found))
    assert any("luck" in caveat for caveat in caveats(swept(right, seeds=1)))


def test_numbers_are_those_of_their_seeds():
    found = swept(0.7, 0.8)
    for setting in found.settings:
        assert setting.reward.value == pytest.approx(sum(seed.reward for seed in setting.seeds) / 3)
        assert setting.over_rule.value == pytest.approx(setting.reward.value - found.by_rule.value)
    test = found.test("recipe", "beta=0.2")
    difference = found.setting("recipe").reward.value - found.setting("beta=0.2").reward.value
    assert test.for_("recipe").value == pytest.approx(difference)
    assert test.for_("beta=0.2").value == pytest.approx(-difference)
    assert test.for_("beta=0.2").low < test.for_("beta=0.2").value < test.for_("beta=0.2").high


def test_an_exact_tie_counts_half():
    tied = replace(cell({}, 0, 1.0), scores=BASE)
    assert set(reward_margins(BASE, tied.scores)) == {0.0}
    measured = Measured("main", "held-out", 0, 240, PAIRS, BASE, (), TRAIN)
    assert measure_sweep(measured, [tied], {}, Plan()).settings[0].reward.value == 0.5


def test_the_length_rule_stands_beside_it():
    found = swept(0.8, 0.82)
    assert (found.rule, found.by_rule.value) == ("longer", 0.8)
    assert any("more than length" in caveat and "80%" in caveat for caveat in caveats(found))


def test_what_costs_more_and_brings_nothing_is_said():
    found = swept(0.8, 0.8, seconds=(100.0, 250.0))
    assert any("2.5 times as long" in caveat for caveat in caveats(found))
    assert not any("times as long" in caveat for caveat in caveats(swept(0.4, 0.95, seconds=(100.0, 250.0))))


def test_the_sealed_set_cannot_be_chosen_by_and_reported_on():
    assert any("opened 2 times" in caveat for caveat in caveats(swept(0.8, 0.8, on="sealed")))
    assert any("no cell of this sweep saw" in caveat for caveat in caveats(swept(0.8, 0.8)))


def test_failures_and_what_was_left_out_are_told():
    said = caveats(swept(0.8, 0.8, failed={"beta=9-seed0": "the loss is no number"}))
    assert "beta=9-seed0 came to no end: the loss is no number" in said
    assert "2 left out: ties and edits." in said


def test_a_setting_that_lacks_a_seed_is_compared_on_the_others():
    measured = Measured("main", "held-out", 0, 240, PAIRS, BASE, (), TRAIN)
    cells = [cell({}, 0, 0.7), cell({}, 1, 0.7), cell({"beta": 0.5}, 1, 0.8), cell({"beta": 0.9}, 2, 0.9)]
    found = measure_sweep(measured, cells, {}, Plan())
    assert found.test("recipe", "beta=0.5").seeds == 1
    assert found.test("recipe", "beta=0.9") is None
    assert found.winner is None
    assert any("Not trained with every seed" in caveat for caveat in caveats(found))
    assert render_sweep(found)
    assert summarise(found)


@pytest.mark.parametrize(
    "found", [swept(0.5, 0.9, 0.6), swept(0.7), swept(0.7, 0.7, on="sealed")], ids=["three", "one", "sealed"]
)
def test_the_page_needs_nothing_else_and_has_every_training(found):
    page = render_sweep(found)
    assert not re.search(r"<script|https?://(?!www\.w3\.org)", page)
    for setting in found.settings:
        for seed in setting.seeds:
            assert page.count(seed.adapter_sha256[:12]) >= 1
    assert "<svg" in page
    assert [len(setting_row(found, setting)) for setting in found.settings] == [len(COLUMNS)] * len(found.settings)


def test_a_name_with_markup_in_it_is_only_text():
    found = swept(0.7, 0.7)
    page = render_sweep(replace(found, name="<script>x"))
    assert "<script>" not in page
