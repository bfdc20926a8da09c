import pytest
from prefloop.train.settings import TrainSettings
from prefloop.train.watching.callback import every_steps
from prefloop.train.watching.stopping import best_folder, best_of, forget_weights, is_over, measurements, stopping


def at(*accuracies):
    return [(10 * number, accuracy) for number, accuracy in enumerate(accuracies, 1)]


def test_the_earliest_of_equals_is_the_best():
    assert best_of(at(0.6, 0.7, 0.7)) == (20, 0.7)


@pytest.mark.parametrize(
    ("accuracies", "over"),
    [((), False), ((0.6,), False), ((0.6, 0.5), False), ((0.6, 0.5, 0.6), True), ((0.6, 0.5, 0.7), False)],
)
def test_it_is_over_when_nothing_better_came_for_long_enough(accuracies, over):
    assert is_over(at(*accuracies), patience=2) is over


def test_what_is_decided_is_told():
    found = stopping(at(0.6, 0.7, 0.65, 0.7), patience=2)
    assert (found.step, found.best_step, found.accuracy, found.measurements) == (40, 20, 0.7, 4)
    assert found.why == (
        "stopped: 2 measurements in a row brought no higher held-out accuracy; the weights of step 20 are kept"
    )
    assert stopping(at(0.6, 0.7), patience=2).why == "ran to its end; the last weights are kept"


def test_measurements_are_the_rows_that_have_one():
    assert measurements([{"step": 1, "loss": 0.7}, {"step": 2, "eval_rewards/accuracies": 0.6}]) == [(2, 0.6)]


def test_weights_are_kept_while_a_checkpoint_needs_them(tmp_path):
    for name in ("checkpoint-15", "checkpoint-30", "best-10", "best-20", "best-30"):
        (tmp_path / name).mkdir()
    forget_weights(tmp_path, at(0.5, 0.6, 0.7))
    assert {path.name for path in tmp_path.glob("best-*")} == {"best-10", "best-30"}
    assert best_folder(tmp_path, 30).exists()
    forget_weights(tmp_path, [])
    assert not list(tmp_path.glob("best-*"))


def test_measuring_takes_about_a_tenth_of_the_time():
    settings = TrainSettings(batch_size=8)
    assert every_steps(settings, 300) == 125  # 300 forward passes by 125 steps of 8 pairs and 3 passes
    held_out = settings.held_out.model_copy(update={"every": 7})
    assert every_steps(settings.model_copy(update={"held_out": held_out}), 300) == 7
