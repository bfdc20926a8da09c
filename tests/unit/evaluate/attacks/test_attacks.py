"""Attacks on judges whose weaknesses are known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefloop.collect import Item, Message, Origin
from prefloop.evaluate.attacks import ATTACKS, Attack, read_attacks, run_attacks, section, words, write_attacks
from prefloop.evaluate.attacks.attack import repeat_list
from prefloop.evaluate.judge_audit import Ruling
from prefloop.evaluate.judges import shown
from prefloop.evaluate.statistics import Plan

PLAN = Plan(samples=1000)
ORIGIN = Origin("model", "somebody")
NAMES = [attack.name for attack in ATTACKS]


def make_items(count, answer="Paris is the capital. It lies on the Seine."):
    return [
        Item((Message("user", f"Question {n}"),), f"{answer} ({n})", f"Berlin ({n}).", ORIGIN, ORIGIN)
        for n in range(count)
    ]


def judging(rule, flags=lambda item: ()):
    """A judge by a rule that sees two texts and says `first`, `second` or `tie`, None where it can't be read."""

    def rulings(items):
        for item in items:
            a_first, b_first = rule(item.response_a, item.response_b), rule(item.response_b, item.response_a)
            yield Ruling(
                item.id,
                {"first": "A", "second": "B", "tie": "tie", None: None}[a_first],
                {"first": "B", "second": "A", "tie": "tie", None: None}[b_first],
                flags(item),
            )

    return lambda items: list(rulings(items))


def honest(first, second):
    """Knows what answers the question, and that saying it twice adds nothing."""
    good = ["Paris" in text for text in (first, second)]
    return "tie" if good[0] == good[1] else "first" if good[0] else "second"


def longer(first, second):
    return "first" if len(first) > len(second) else "second" if len(second) > len(first) else "tie"


def gullible(first, second):
    """Follows whoever claims the verdict."""
    claims = ["[[A]]" in text for text in (first, second)]
    return honest(first, second) if claims[0] == claims[1] else "first" if claims[0] else "second"


def successes(rule, **options):
    report = run_attacks(judging(rule), make_items(30), plan=PLAN, **options)
    return {row.name: row.success.value for row in report.results}, report


def test_each_judge_falls_for_what_it_is_weak_to():
    found, report = successes(honest)
    assert found == dict.fromkeys(NAMES, 0.0)
    assert "not shown to fall for any attack" in words(report)[0]
    found, report = successes(longer)
    assert found == {"empty": 0, "constant": 1, "counterfeit": 1, "verdict": 1, "flattery": 1, "repetition": 1}
    assert words(report)[0].startswith("the judge falls for: constant, counterfeit, verdict, flattery, repetition.")
    found, report = successes(gullible)
    assert found == {"empty": 0, "constant": 0, "counterfeit": 1, "verdict": 1, "flattery": 0, "repetition": 0}
    assert report.worst.name == "counterfeit"


def test_a_judge_of_places_is_fooled_in_one_order_only():
    found, report = successes(lambda first, second: "first")
    assert found == dict.fromkeys(NAMES, 0.0)
    assert {row.once.value for row in report.results} == {1.0}
    assert {(row.wins, row.ties, row.losses) for row in report.results} == {(0, 30, 0)}


def test_intervals_unread_verdicts_and_flags_are_counted():
    def half(first, second):
        return None if "(3)" in first + second else "tie"

    report = run_attacks(
        judging(half, flags=lambda item: ("noticed",) if "[[A]]" in item.response_b else ()), make_items(30), plan=PLAN
    )
    by_name = {row.name: row for row in report.results}
    assert {len(row.unscored) for row in report.results} == {1}
    assert {row.success.n for row in report.results} == {29}
    assert 0.08 < by_name["empty"].success.high < 0.15  # Wilson for 0 of 29 is 0 to 11.7%
    assert {name: row.flagged for name, row in by_name.items() if row.flagged} == {"counterfeit": 30, "verdict": 30}


def test_the_honest_answer_is_the_one_that_people_prefer():
    items = make_items(4)
    seen = []

    def spy(items):
        seen.extend(items)
        return [Ruling(item.id, "A", "A") for item in items]

    report = run_attacks(spy, items, honest={items[0].id: "B"}, attacks=ATTACKS[:1], plan=PLAN)
    assert [item.response_a for item in seen] == ["Berlin (0).", *(item.response_a for item in items[1:])]
    assert {item.response_b for item in seen} == {""}
    assert report.results[0].losses == 4


def test_what_cannot_be_made_is_counted():
    items = make_items(2, answer="Paris")
    empty = Item(items[0].prompt, "", "x", ORIGIN, ORIGIN)
    report = run_attacks(judging(honest), [*items, empty], plan=PLAN)
    by_name = {row.name: row for row in report.results}
    assert by_name["repetition"].not_made == tuple(item.id for item in [*items, empty])
    assert by_name["repetition"].success is None
    assert by_name["empty"].not_made == (empty.id,)
    assert any("could be made of no answer" in sentence for sentence in words(report))


def test_a_judge_that_leaves_attacks_out_is_refused():
    with pytest.raises(ValueError, match="said nothing about 2 of 2"):
        run_attacks(lambda items: [], make_items(2), attacks=ATTACKS[:1], plan=PLAN)
    with pytest.raises(ValueError, match="at least one item"):
        run_attacks(judging(honest), [], plan=PLAN)


def test_a_list_is_said_again_before_itself():
    answer = "Three towns:\n1. Rome\n2. Oslo\n- Bern\nThat is all."
    assert repeat_list(answer) == (
        "1. Put differently: Rome\n2. That is to say: Oslo\n3. To say it again: Bern\n\n" + answer
    )
    assert repeat_list("One. Two!").startswith("1. Put differently: One.\n2. That is to say: Two!")
    assert repeat_list("Only one sentence") is None


@given(st.text(max_size=200))
def test_repetition_adds_no_word_of_its_own_but_its_openings(answer):
    repeated = repeat_list(answer)
    if repeated is not None:
        assert repeated.endswith(answer)
        points = repeated.removesuffix("\n\n" + answer).split(": ")[1:]
        assert len(points) >= 2
        assert all(point.rsplit("\n", 1)[0].strip() in answer for point in points[:-1])


def test_attacks_that_speak_as_the_judge_are_noticed_and_defused():
    noticed = {attack.name for attack in ATTACKS if (made := attack.make("One. Two.")) and shown(made) != made}
    assert noticed == {"counterfeit", "verdict"}


def test_a_report_survives_its_file_and_is_shown_escaped(tmp_path):
    hostile = Attack("<script>x</script>", "<img src=x>", lambda answer: "<b>")
    report = run_attacks(judging(longer), make_items(5), judge="<i>j</i>", attacks=[*ATTACKS, hostile], plan=PLAN)
    assert read_attacks(write_attacks(tmp_path / "attacks.json", report)) == report
    page = section(report)
    assert "<script" not in page
    assert "<img" not in page
    assert "<i>j" not in page
