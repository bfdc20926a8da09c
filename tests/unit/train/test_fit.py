"""What would fit, by arithmetic alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefloop.train import TrainSettings
from prefloop.train.checks.estimate import GIB, Footprint, memory
from prefloop.train.checks.fit import Fit, fits, suggest
from prefloop.train.checks.measure import Measured, duration


def shape(**changed):
    """Llama-3-8B with rank 16, about."""
    numbers = {
        "frozen_linear": 7_000_000_000,
        "frozen_other": 1_000_000_000,
        "largest_linear": 59_000_000,
        "trained": 42_000_000,
        "fixed": 80_000_000,
        "per_pair": 15 * GIB,
        "fixed_checkpointed": 80_000_000,
        "per_pair_checkpointed": 1 * GIB,
        "transient_per_pair": GIB // 2,
        "vocabulary": 128_256,
        "hidden": 4096,
        "tokens": 1024,
        "plain_head": True,
    }
    return Footprint(**numbers | changed)


def test_an_eight_billion_model_fits_a_16_gib_card_only_in_four_bits():
    settings = TrainSettings(batch_size=8)
    (best, *_) = suggest(shape(), settings, 16 * GIB, "cuda")
    assert best.changes["quantization"] == "nf4"
    assert best.changes["gradient_checkpointing"] is True
    (first, *_) = suggest(shape(), settings, 60 * GIB, "cuda")
    assert "quantization" not in first.changes


def test_what_is_cheapest_in_time_comes_first_and_nothing_is_changed_in_vain():
    settings = TrainSettings(batch_size=8)
    found = suggest(shape(), settings, 90 * GIB, "cuda")
    assert found[0].changes == {"micro_batch_size": 4}
    assert [one.slower for one in found] == sorted(one.slower for one in found)
    for one in found:
        assert one.changes != {"micro_batch_size": 2}  # 4 fits, so nobody needs 2


def test_where_nothing_fits_the_least_is_named():
    settings, card = TrainSettings(batch_size=2), 2 * GIB
    needs = memory(shape(), settings, device="cuda")
    assert suggest(shape(), settings, card, "cuda") == ()
    (warning,) = Fit("cuda", card, needs, (), needs).warnings
    assert "nothing but a smaller base_model or max_length helps" in warning


@given(
    free=st.integers(GIB, 200 * GIB),
    batch=st.sampled_from([1, 2, 6, 8, 12, 32]),
    per_pair=st.integers(1_000_000, 30 * GIB),
    checkpointed=st.floats(0.01, 1.0),
    linear=st.integers(10_000_000, 70_000_000_000),
    device=st.sampled_from(["cpu", "cuda"]),
    peft=st.booleans(),
)
def test_whatever_is_suggested_fits_and_is_a_valid_setting(free, batch, per_pair, checkpointed, linear, device, peft):
    model = shape(per_pair=per_pair, per_pair_checkpointed=int(per_pair * checkpointed), frozen_linear=linear)
    settings = TrainSettings(batch_size=batch, use_peft=peft, learning_rate=1e-6)
    for one in suggest(model, settings, free, device):
        taken = TrainSettings.model_validate(settings.model_dump() | one.changes)
        assert taken != settings
        assert fits(memory(model, taken, device=device), free)
        assert memory(model, taken, device=device) == one.memory
        assert one.slower >= 1


@given(pairs=st.sampled_from([1, 2, 4, 8]), checkpointed=st.booleans())
def test_less_in_memory_never_needs_more(pairs, checkpointed):
    settings = TrainSettings(batch_size=8, micro_batch_size=pairs, gradient_checkpointing=checkpointed)
    whole = memory(shape(), TrainSettings(batch_size=8, gradient_checkpointing=checkpointed), device="cuda")
    assert memory(shape(), settings, device="cuda").total <= whole.total


def test_a_trained_weight_costs_sixteen_bytes():
    assert memory(shape(trained=10**9), TrainSettings(), device="cuda").trained == 16 * 10**9


def test_time_grows_with_the_tokens():
    measured = Measured(pairs=8, tokens=1000, seconds=10.0, reference_seconds=2.0, peak=GIB)
    assert measured.training_seconds(50_000, epochs=2) == pytest.approx(1000.0)
    assert measured.whole_seconds(50_000, epochs=2) == pytest.approx(1100.0)
    rows = dict(measured.as_rows(TrainSettings(batch_size=8, epochs=2), 400, 50_000))
    assert rows["time, projected"].startswith("18 min for 100 steps, of it 2 min for the ref")
    assert [duration(seconds) for seconds in (5, 100, 6000)] == ["5 s", "2 min", "1.7 h"]
