from prefloop.evaluate.curves import training_curves
from prefloop.evaluate.page import render_page
from prefloop.train.watching.alarms import Alarm
from prefloop.train.watching.stopping import stopping


def rows(count, *, every=None):
    """Rows of a training, measured every so many steps."""
    for step in range(1, count + 1):
        row = {"step": step, "loss": 0.7 - step / 100, "rewards/accuracies": 0.5, "rewards/margins": step / 50}
        if every and step % every == 0:
            row |= {"eval_pairs": 60.0, "eval_longer": 0.55, "eval_dpo_loss": 0.68, "eval_rewards/margins": step / 80}
            row |= {f"eval_rewards/accuracies{end}": 0.6 + by for end, by in (("", 0), ("_low", -0.1), ("_high", 0.1))}
        yield row


def test_what_was_not_measured_is_not_drawn():
    assert training_curves([]) == []
    assert [curve.title for curve in training_curves(list(rows(9)))] == [
        "Training loss",
        "Reward accuracy",
        "Reward margin",
    ]
    assert all("dashed" not in curve.says for curve in training_curves(list(rows(9))))


def test_held_out_pairs_have_their_band_and_the_rule_to_beat():
    alone = {curve.title: curve for curve in training_curves(list(rows(9)))}
    both = {curve.title: curve for curve in training_curves(list(rows(9, every=3)))}
    assert "mark-area" in both["Reward accuracy"].svg
    assert "mark-area" not in alone["Reward accuracy"].svg
    assert both["Reward accuracy"].says.endswith("dashed: picking the longer answer")
    assert "Loss on held-out pairs" in both


def test_the_page_tells_alarms_and_what_the_weights_were_chosen_by(report):
    alarm = Alarm("length_exploitation", "seen <b>so</b>", "It matters.", "less", 30, 40)
    chosen = stopping([(10, 0.6), (20, 0.7), (30, 0.6)], 1)
    page = render_page(report, metrics=list(rows(30, every=10)), alarms=[alarm], stopping=chosen)
    for text in (
        "Length exploitation</b>, steps 30 to 40: seen &lt;b&gt;so&lt;/b&gt;. It matters.",
        "60 training pairs that were held out",
        "the weights of step 20 of 30, the best of 3 measurements",
        "chosen for being high and flatters them",
    ):
        assert text in page, text
    plain = render_page(report, metrics=list(rows(30)))
    assert "Alarms while training" not in plain
    assert "held out" not in plain.partition("<h2>Training</h2>")[2].partition("<h2>")[0]
