"""An evaluation by people through a real Argilla: both models' real answers go out blind, a win rate comes back."""

import json

import pytest
import yaml
from prefloop.cli import app
from prefloop.collect import (
    Argilla,
    Item,
    Message,
    Origin,
    PreferencePair,
    ensure_annotators,
    find_queue,
    open_queue,
    pull,
    push,
    read_items,
    read_votes,
    seal,
    write_rows,
)
from prefloop.collect.queues.display import shown
from prefloop.errors import UserError
from prefloop.evaluate import evaluate_adapter, open_subject, read_report, write_report_json
from prefloop.evaluate.humans import Contest, evaluation_settings, measure_round, round_items
from prefloop.evaluate.measured import read_answers
from prefloop.loop import reporting
from prefloop.loop.human_rounds import current_round, humans_folder, pull_round, push_round, read_round
from prefloop.recipe import load_recipe, resolved
from prefloop.runs import Cost, open_run
from tiny_model import make_tiny_adapter
from typer.testing import CliRunner

COUNT = 12


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "guidelines.md").write_text("Choose the better answer.")
    tree = {
        "name": "h",
        "task": "Answers prompts well.",
        "collect": {"items": "items.jsonl", "guidelines": "guidelines.md", "queue": tmp_path.name, "min_votes": 2},
        "evaluate": {"max_new_tokens": 6, "bootstrap": 1000, "batch_size": 4},
    }
    (tmp_path / "items.jsonl").write_text("")
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(tree))
    return load_recipe(tmp_path / "recipe.yaml")


@pytest.fixture
def evaluated(tmp_path, recipe, base):
    """A run as `prefloop evaluate` leaves it, with real answers of two models to sealed prompts."""
    run = open_run(tmp_path / "run", resolved(recipe))
    origin = Origin("person", "author")
    items = [Item((Message("user", f"Question {n}"),), f"a {n}", f"b {n}", origin, origin) for n in range(COUNT)]
    write_rows(run.folder / "collect" / "items.jsonl", items)
    seal(items, 0.99, 0, run.folder / "collect" / "sealed.json")
    pairs = [PreferencePair(item.prompt, "a", "b", 1.0, item.id, ("v",), tags=("form",), sealed=True) for item in items]
    write_rows(run.folder / "collect" / "sealed_pairs.jsonl", pairs)
    evaluate(run, recipe, base, make_tiny_adapter(base.path, tmp_path / "adapter"))
    return run


def evaluate(run, recipe, base, adapter):
    from prefloop.collect import read_pairs

    pairs = read_pairs(run.folder / "collect" / "sealed_pairs.jsonl")
    report = evaluate_adapter(open_subject(base, adapter), pairs, recipe.evaluate, folder=run.folder / "evaluate")
    write_report_json(run.folder / "report.json", report)
    run.finish("evaluate", Cost(1.0, 1, ""))
    return report


@pytest.fixture
def owner(argilla):
    with Argilla(argilla.url, argilla.api_key) as connection:
        yield connection


def queue_of(owner, run, recipe):
    return find_queue(owner, evaluation_settings(recipe.collect, current_round(run)[1]["id"]))


def records(owner, queue):
    return owner.call("GET", f"/datasets/{queue.id}/records", query={"limit": 100})["items"]


def vote(owner, key, record, items, choice):
    """Answer as a person does who sees two texts and prefers one: `tuned`, `base` or `tie`."""
    fields, item = record["fields"], items[record["external_id"]]
    first_is_tuned = fields["answer_1"] == shown(item.response_b)
    clicked = choice if choice == "tie" else "first" if (choice == "tuned") == first_is_tuned else "second"
    body = {"values": {"preference": {"value": clicked}}, "status": "submitted"}
    with Argilla(owner.url, key) as person:
        person.call("POST", f"/records/{record['id']}/responses", body=body)


def test_two_people_vote_blind_and_a_win_rate_comes_back(owner, evaluated, recipe):
    pushed = push_round(evaluated, recipe, owner)
    asked = COUNT - len(pushed.equal)
    assert asked >= 8, "the random adapter must change most answers"
    assert (pushed.pushed.added, pushed.pushed.already_there, pushed.without_answers) == (asked, 0, ())
    assert ".evaluation-" in pushed.queue
    again = push_round(evaluated, recipe, owner)
    assert (again.queue, again.pushed.added, again.pushed.already_there) == (pushed.queue, 0, asked)

    queue = queue_of(owner, evaluated, recipe)
    items = {item.id: item for item in read_items(current_round(evaluated)[0] / "items.jsonl")}
    answers = read_answers(evaluated.folder / "evaluate")
    found = {row["external_id"]: row for row in records(owner, queue)}
    assert found.keys() == items.keys()
    firsts = [found[name]["fields"]["answer_1"] == shown(item.response_b) for name, item in items.items()]
    assert 0 < sum(firsts) < asked, "sides are drawn"
    for name, item in items.items():
        assert item.response_a == answers.base[item.prompt_id].text
        assert item.response_b == answers.tuned[item.prompt_id].text
        told = json.dumps({part: found[name][part] for part in ("fields", "metadata")})
        assert item.origin_a.name not in told
        assert item.origin_b.name not in told
        assert "form" not in told

    nobody = pull_round(evaluated, recipe, owner)
    assert (nobody.rate, len(nobody.unlabelled)) == (None, asked)

    people = list(ensure_annotators(owner, queue, [f"ann-{queue.id[:8]}", f"bo-{queue.id[:8]}"]))
    order = sorted(items)
    for number, name in enumerate(order[:-1]):  # the last one stays without a vote
        vote(owner, people[0].api_key, found[name], items, "tuned" if number else "base")
        if number % 2:
            vote(owner, people[1].api_key, found[name], items, "tuned" if number > 3 else "tie")
    result = pull_round(evaluated, recipe, owner)
    both = [number for number in range(asked - 1) if number % 2]
    split = sum(number <= 3 for number in both)
    assert result.choices == {"tuned": asked - 2 + len(both) - split, "base": 1, "tie": split}
    assert (result.annotators, result.losses, result.split) == (2, 1, split)
    assert result.wins == asked - 2 - split
    assert result.ties == len(pushed.equal)
    assert result.unlabelled == (items[order[-1]].prompt_id,)
    assert len(result.unfinished) == asked - 1 - len(both)
    mean = (asked - 2 - split + 0.75 * split) / (asked - 1)
    assert result.rate.value == pytest.approx((asked * mean + 0.5 * len(pushed.equal)) / COUNT)
    assert result.agreement.items == len(both)
    assert result.agreement.pairwise == pytest.approx((len(both) - split) / len(both))
    # The same again, read from the files.
    tuned = json.loads((evaluated.folder / "report.json").read_text())["tuned"]["sha256"]
    assert read_round(evaluated, tuned) == result
    assert read_round(evaluated, "another adapter") is None
    assert len(read_votes(current_round(evaluated)[0] / "votes.jsonl")) == sum(result.choices.values())
    assert not (evaluated.folder / "collect" / "votes.jsonl").exists(), "nothing of it is where training looks"


def test_a_model_trained_anew_is_another_round(owner, evaluated, recipe, base, tmp_path):
    first = push_round(evaluated, recipe, owner)
    report = evaluate(evaluated, recipe, base, make_tiny_adapter(base.path, tmp_path / "another", seed=2))
    second = push_round(evaluated, recipe, owner)
    assert first.queue != second.queue
    assert second.pushed.added == COUNT - len(second.equal)
    assert len([path for path in humans_folder(evaluated).iterdir() if path.is_dir()]) == 2
    assert current_round(evaluated)[1]["tuned_sha256"] == report.tuned.sha256
    # The first adapter again: its answers are found in the file, and so is its round.
    evaluate(evaluated, recipe, base, tmp_path / "adapter")
    back = push_round(evaluated, recipe, owner)
    assert (back.queue, back.pushed.added) == (first.queue, 0)


def test_an_empty_answer_is_shown_and_can_lose(owner, recipe):
    """A model that says nothing must not slip out of the comparison."""
    rows = [Contest((Message("user", f"Question {n}"),), "An answer.", "") for n in range(3)]
    items, _ = round_items(rows, Origin("model", "base"), Origin("model", "tuned"))
    queue = open_queue(owner, evaluation_settings(recipe.collect, "0123abcd"))
    pushed = push(owner, queue, items, b"a side key")
    assert (pushed.added, pushed.refused) == (3, ())
    [person] = ensure_annotators(owner, queue, [f"di-{queue.id[:8]}"])
    for record in records(owner, queue):
        vote(owner, person.api_key, record, {item.id: item for item in items}, "base")
    pulled = pull(owner, queue, b"a side key", [item.id for item in items])
    found = measure_round(items, pulled.votes, queue=queue.name)
    assert (found.losses, found.rate.value, found.not_counted) == (3, 0, {})


def test_without_an_evaluation_it_says_what_to_do(owner, recipe, tmp_path):
    run = open_run(tmp_path / "empty", resolved(recipe))
    with pytest.raises(UserError, match="`prefloop evaluate` comes first"):
        push_round(run, recipe, owner)
    with pytest.raises(UserError, match="`prefloop humans push` starts one"):
        pull_round(run, recipe, owner)


def test_the_commands_push_and_pull(argilla, owner, evaluated, recipe, tmp_path, monkeypatch):
    monkeypatch.setenv("ARGILLA_API_URL", argilla.url)
    monkeypatch.setenv("ARGILLA_API_KEY", argilla.api_key)
    where = [str(tmp_path / "recipe.yaml"), "--run", str(evaluated.folder)]
    pushed = CliRunner().invoke(app, ["humans", "push", *where])
    assert pushed.exit_code == 0, pushed.output
    queue = queue_of(owner, evaluated, recipe)
    items = {item.id: item for item in read_items(current_round(evaluated)[0] / "items.jsonl")}
    [person] = ensure_annotators(owner, queue, [f"cy-{queue.id[:8]}"])
    for record in records(owner, queue):
        vote(owner, person.api_key, record, items, "tuned")
    pulled = CliRunner().invoke(app, ["humans", "pull", *where, "--json"])
    assert pulled.exit_code == 0, pulled.output
    found = json.loads(pulled.stdout[pulled.stdout.index("{") :])
    assert (found["losses"], found["annotators"]) == (0, 1)
    spoken = CliRunner().invoke(app, ["humans", "pull", *where])
    assert "People prefer the tuned model in" in spoken.stdout

    monkeypatch.setattr(reporting, "write_report_page", lambda path, run, report: path)
    reporting.write_report(evaluated, read_report(evaluated.folder / "report.json"))
    assert read_report(evaluated.folder / "report.json").humans.annotators == 1
    assert "One person alone voted" in spoken.stdout
