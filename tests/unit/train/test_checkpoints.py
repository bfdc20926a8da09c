import json

from prefloop.train.checkpoints import MARK, cut_metrics, last_whole, mark_whole


def checkpoint(folder, step, identity=None):
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "optimizer.pt").write_bytes(b"state")
    if identity is not None:
        mark_whole(path, identity)
    return path


def test_the_newest_whole_checkpoint_is_taken_by_number_not_by_name(tmp_path):
    checkpoint(tmp_path, 9, {"data": "a"})
    newest = checkpoint(tmp_path, 10, {"data": "a"})
    assert last_whole(tmp_path, {"data": "a"}) == newest


def test_torn_and_foreign_checkpoints_are_thrown_away(tmp_path):
    good = checkpoint(tmp_path, 2, {"data": "a"})
    foreign = checkpoint(tmp_path, 4, {"data": "b"})
    torn = checkpoint(tmp_path, 6)
    assert last_whole(tmp_path, {"data": "a"}) == good
    assert (foreign.exists(), torn.exists(), (good / MARK).exists()) == (False, False, True)


def test_without_checkpoints_a_training_starts_at_the_beginning(tmp_path):
    assert last_whole(tmp_path / "none", {}) is None


def test_metrics_of_steps_that_are_done_again_are_forgotten(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps({"step": step}) + "\n" for step in (1, 2, 3)) + '{"step"')
    cut_metrics(path, 2)
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'
