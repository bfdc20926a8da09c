"""What votes say to the loss: probabilities, the settings that go together, what preflight shows, the data's hash."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefloop.errors import UserError
from prefloop.train import TrainSettings, preflight
from prefloop.train.rows import data_sha256, manifest
from prefloop.train.votes.reading import COLUMNS, loss_row, probability, refuse_unread, vote_facts
from pydantic import ValidationError


def settings(**votes):
    more = {name: votes.pop(name) for name in ("loss_type", "label_smoothing", "ld_alpha") if name in votes}
    return TrainSettings.model_validate({"votes": votes} | more)


@pytest.fixture
def voted(make_pair):
    """A pair by how many votes are for its order, for neither, and against it."""

    def make(agree, neither=0, against=0, **more):
        n = agree + neither + against
        details = {"weight": agree / n, "preferred": (agree + neither / 2) / n}
        return make_pair(vote_ids=tuple(f"v{number}" for number in range(n)), **details | more)

    return make


def test_the_defaults_read_no_votes(voted):
    assert not TrainSettings().votes.in_loss
    assert loss_row(voted(2, 0, 1), TrainSettings()) == {}
    assert vote_facts([voted(2, 0, 1)], TrainSettings()).rows == ()


def test_three_to_nothing_is_not_certainty(voted):
    assert probability(voted(3), 1.0) == pytest.approx(4 / 5)
    assert probability(voted(2, 0, 1), 1.0) == pytest.approx(3 / 5)
    assert probability(voted(2, 1, 0), 1.0) == pytest.approx(3.5 / 5)
    assert probability(voted(1), 1.0) == pytest.approx(2 / 3)


def test_pairs_of_sources_without_votes_count_as_one(make_pair):
    assert probability(make_pair(vote_ids=(), weight=1.0), 1.0) == pytest.approx(2 / 3)
    assert probability(make_pair(vote_ids=(), weight=0.3), 1.0) == pytest.approx(1 / 2)


@given(agree=st.integers(1, 20), neither=st.integers(0, 20), against=st.integers(0, 20), prior=st.floats(0.01, 20))
def test_a_target_never_turns_against_its_label_and_more_votes_make_it_surer(agree, neither, against, prior):
    from prefloop.collect import Message, PreferencePair

    if agree <= against:
        return

    def pair(times):
        n = (agree + neither + against) * times
        ids = tuple(map(str, range(n)))
        share = (agree + neither / 2) / (agree + neither + against)
        return PreferencePair((Message("user", "?"),), "a", "b", 0.5, "i", ids, preferred=share)

    once, twice = probability(pair(1), prior), probability(pair(2), prior)
    assert 0.5 < once < twice < 1


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"weights": True, "loss_type": ["ipo"]}, "votes.weights can't be read by loss_type ipo"),
        ({"targets": "soft", "loss_type": ["sigmoid", "bco_pair"]}, "take sigmoid or sigmoid_norm, with or without"),
        ({"targets": "soft", "loss_type": ["sft"]}, "can't be read by loss_type sft"),
        ({"targets": "soft", "loss_type": ["robust"]}, "targets soft can't be read by loss_type robust"),
        ({"targets": "smoothed", "ties": "davidson", "loss_type": ["robust"]}, "ties davidson can't be read"),
        ({"targets": "smoothed", "loss_type": ["hinge"]}, "also goes with aot, .* robust"),
        ({"prior": 1.0}, "no effect on hard targets"),
        ({"targets": "soft", "prior": 0.0}, "greater than 0"),
        ({"tie_probability": 0.3}, "no effect where ties are dropped"),
        ({"ties": "davidson", "tie_probability": 1.0}, "less than 1"),
        ({"weights": True, "ld_alpha": 0.5}, "votes and ld_alpha"),
        ({"ties": "rao-kupper"}, "rao_kupper"),
    ],
)
def test_what_does_not_go_together_is_refused_in_a_sentence(given, says):
    with pytest.raises(ValidationError, match=says):
        settings(**given)


@pytest.mark.parametrize(
    "given",
    [
        {"weights": True, "targets": "soft", "ties": "rao_kupper", "tie_probability": 0.2},
        {"targets": "soft", "prior": 0.5},
        {"ties": "davidson", "loss_type": ["sigmoid", "sft"]},
        {"targets": "smoothed", "label_smoothing": 0.1},
        {"targets": "smoothed", "loss_type": ["robust"]},
        {"targets": "smoothed", "loss_type": ["exo_pair"]},
    ],
)
def test_what_goes_together_survives_json(given):
    made = settings(**given)
    assert TrainSettings.model_validate_json(made.model_dump_json()) == made


def test_the_row_says_what_the_loss_reads(voted):
    pair, tie = voted(2, 0, 1), voted(0, 3, 0, kind="tie", weight=1.0)
    assert loss_row(pair, settings(weights=True)) == dict(zip(COLUMNS, (2 / 3, 1.0, False), strict=True))
    assert loss_row(pair, settings(targets="soft"))["vote_target"] == pytest.approx(3 / 5)
    assert loss_row(pair, settings(targets="soft", prior=0.5))["vote_target"] == pytest.approx(2.5 / 4)
    assert loss_row(pair, settings(targets="smoothed", label_smoothing=0.1))["vote_target"] == 0.9
    assert loss_row(tie, settings(ties="davidson"))["vote_tie"] is True
    # TRL's own robust loss reads label_smoothing itself.
    assert loss_row(pair, settings(targets="smoothed", label_smoothing=0.1, loss_type=["robust"])) == {}


def test_ties_and_unmeasured_smoothing_are_refused_where_nobody_reads_them(voted):
    tie = voted(0, 3, 0, kind="tie")
    with pytest.raises(UserError, match=f"1 rows are ties .{tie.id}"):
        refuse_unread([voted(3), tie], TrainSettings())
    refuse_unread([voted(3), tie], settings(ties="davidson"))
    with pytest.raises(UserError, match="here are none"):
        refuse_unread([voted(3)], settings(targets="smoothed"))


def test_the_hash_of_the_data_changes_with_the_votes_only_where_the_loss_reads_them(voted):
    contested, clear = (voted(agree, 0, 3 - agree, prompt="Where?", item_id="i") for agree in (2, 3))
    assert data_sha256([contested], TrainSettings()) == data_sha256([clear], TrainSettings()) == data_sha256([clear])
    for votes in ({"weights": True}, {"targets": "soft"}):
        read = settings(**votes)
        assert data_sha256([contested], read) != data_sha256([clear], read)
        assert manifest([contested], [], read)["sha256"] == data_sha256([contested], read)
    as_tie = voted(0, 3, 0, kind="tie", prompt="Where?", item_id="i")
    davidson = settings(ties="davidson")
    assert data_sha256([as_tie], davidson) != data_sha256([clear], davidson)


def test_the_preflight_says_what_the_section_does(voted, tokenizer):
    pairs = [voted(3), voted(2, 0, 1), voted(2, 1, 0), voted(0, 3, 0, kind="tie", weight=1.0)]
    asked = settings(weights=True, targets="soft", prior=1.0, ties="davidson")
    checked = preflight(pairs, asked, tokenizer)
    rows = dict(checked.as_rows())
    assert rows["vote weights"] == "0.80 to 1.20, mean 1 (agreement 0.83)"
    assert rows["soft targets"] == "0.60 to 0.80, prior 1"
    assert rows["contested pairs"] == "2 of 3"
    assert rows["ties"] == "1 of 4 rows, davidson"
    assert not any("votes" in warning for warning in checked.warnings)
    plain = preflight(pairs[:3], TrainSettings(), tokenizer)
    assert plain.votes == ()


def test_the_preflight_warns_where_votes_can_not_help(voted, tokenizer):
    once = [voted(1), voted(1)]
    asked = settings(weights=True, targets="soft", ties="rao_kupper")
    warnings = " ".join(preflight(once, asked, tokenizer).warnings)
    assert "votes.weights changes nothing: all pairs weigh the same" in warnings
    assert "every pair the same target, 0.67" in warnings
    assert "no item among these is a tie" in warnings


def test_a_tie_says_nothing_about_length(voted, tokenizer):
    pairs = [voted(3, chosen="short", rejected="quite long"), voted(0, 3, 0, chosen="quite long", kind="tie")]
    assert preflight(pairs, settings(ties="davidson"), tokenizer).chosen_longer == 0.0
