"""The life of a queue on a real Argilla: killed pushes, queues per skill, people from a file, the next version."""

import csv
import hashlib
import json
import os
import random
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from prefloop.collect import (
    Argilla,
    FormSettings,
    Item,
    Message,
    Origin,
    Person,
    Vote,
    find_queue,
    invite,
    migrate,
    open_queue,
    pull,
    push,
    read_items,
    replay,
    restore,
    share_out,
    with_seconds,
    write_rows,
)
from prefloop.collect.settings import CollectSettings, SkillSettings
from prefloop.collect.sides import left_side
from prefloop.errors import UserError
from prefloop.recipe import load_recipe

PREFLOOP = Path(sys.executable).with_name("prefloop")
KEY = b"a side key for tests"
ORIGIN = Origin("person", "author")
PEOPLE = ("ann", "bo", "cy")


@pytest.fixture(scope="module")
def owner(argilla):
    with Argilla(argilla.url, argilla.api_key) as connection:
        yield connection


@pytest.fixture
def collect_settings(tmp_path, request):
    """Settings whose queue no other test has."""
    (tmp_path / "guidelines.md").write_text("Choose the better answer.")
    name = "life-" + "".join(letter if letter.isalnum() else "-" for letter in request.node.name)[:90]
    form = FormSettings(strength=True, criteria={"accuracy": ""})
    return CollectSettings(
        items=tmp_path / "items.jsonl", guidelines=tmp_path / "guidelines.md", queue=name, form=form, min_votes=2
    )


@pytest.fixture
def prefloop(argilla, tmp_path):
    """The command line, as a process that can be killed."""
    environment = os.environ | {
        "ARGILLA_API_URL": argilla.url,
        "ARGILLA_API_KEY": argilla.api_key,
        "PREFLOOP_HOME": str(tmp_path / "home"),
    }

    def start(*arguments):
        return subprocess.Popen(
            [PREFLOOP, *map(str, arguments)],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def finished(process):
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def make_items(count, *, tags=lambda n: (), prompt=lambda n: f"Prompt {n}"):
    return [Item((Message("user", prompt(n)),), f"a {n}", f"b {n}", ORIGIN, ORIGIN, tags(n)) for n in range(count)]


def recipe_file(settings, *, form=None):
    """The settings as a recipe's file, beside its items."""
    skills = {name: skill.model_dump(mode="json") for name, skill in settings.skills.items()}
    collect = {"items": str(settings.items), "guidelines": str(settings.guidelines), "queue": settings.queue}
    collect |= {"form": (form or settings.form).model_dump(mode="json"), "skills": skills, "min_votes": 2}
    path = settings.items.with_name("recipe.yaml")
    path.write_text(json.dumps({"name": "life", "task": "A queue's life, tested.", "collect": collect}))
    return path


def responses(owner, dataset_id):
    """Every response of a dataset, as the server has it."""
    rows = [row for record, _ in owner.records(dataset_id, responses=True) for row in record.get("responses") or []]
    return {row["id"]: row for row in rows}


def datasets(owner):
    return {row["name"]: row for row in owner.items("/me/datasets")}


def votes_on(items, seed=0):
    """One vote of every person on every item: every choice and status, with and without the rest."""
    dice, votes = random.Random(seed), []
    for item in items:
        for who in PEOPLE:
            choice = dice.choice(["A", "B", "tie", "both_bad", "skip"])
            status = "discarded" if choice == "skip" else dice.choice(["submitted", "submitted", "draft"])
            decided = choice in ("A", "B")
            votes.append(
                Vote(
                    item.id,
                    who,
                    choice,
                    left_side(KEY, item.id),
                    status,
                    strength=dice.choice([None, 3]) if decided else None,
                    criteria={"accuracy": 4} if decided else {},
                    critique=dice.choice([None, "why <b>not</b> 李"]),
                )
            )
    return votes


def pulled(owner, shares, ledger):
    """All votes of the queues, as the run would keep them."""
    found = [
        vote
        for share in shares.used
        for vote in pull(owner, find_queue(owner, share.settings), KEY, [item.id for item in share.items]).votes
    ]
    return with_seconds(restore(found, ledger))


def test_a_push_killed_anywhere_adds_each_item_once_and_touches_no_answer(owner, collect_settings, prefloop, tmp_path):
    items = make_items(1500, prompt=lambda n: hashlib.sha256(str(n).encode()).hexdigest())
    write_rows(collect_settings.items, items)
    recipe, dice = recipe_file(collect_settings), random.Random(4)
    given, counts = {}, [0]
    for early in (True, False, False):
        process = prefloop("collect", "push", recipe)
        _wait_for_growth(
            owner, collect_settings.queue, process, counts[-1], seconds=dice.uniform(0.5, 3) if early else 60
        )
        time.sleep(dice.uniform(0, 0.15))
        process.kill()
        process.communicate()
        if _count(owner, collect_settings.queue):
            there = _settled_ids(owner, find_queue(owner, collect_settings).id)
            assert len(there) == len(set(there))
            counts.append(len(there))
            given = _answer_some(owner, collect_settings, tmp_path, there, dice)
    assert any(0 < count < len(items) for count in counts)  # else nothing was killed at work
    code, _, said = finished(prefloop("collect", "push", recipe))
    assert code == 0, said
    queue = find_queue(owner, collect_settings)
    there = [row["external_id"] for row, _ in owner.records(queue.id, responses=False)]
    assert sorted(there) == sorted(item.id for item in items)
    assert len(given) >= 5
    assert responses(owner, queue.id) == given


def _settled_ids(owner, dataset_id):
    """The items in the queue, once the server is through with what the killed push had sent."""
    while True:
        try:
            return [row["external_id"] for row, _ in owner.records(dataset_id, responses=False)]
        except UserError as error:
            if "changed while it was read" not in str(error):
                raise


def _count(owner, name):
    dataset = datasets(owner).get(name)
    ready = dataset is not None and dataset["status"] == "ready"
    return owner.call("GET", f"/datasets/{dataset['id']}/progress")["total"] if ready else 0


def _wait_for_growth(owner, name, process, before, *, seconds):
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline and _count(owner, name) <= before:
        time.sleep(0.02)


def _answer_some(owner, settings, tmp_path, there, dice):
    """Have somebody answer a few of the records that are there; return all answers of the queue."""
    side_key = bytes.fromhex((tmp_path / "runs/life/collect/side_key").read_text().strip())
    queue = find_queue(owner, settings)
    before = responses(owner, queue.id)
    who = f"killer-{dice.randrange(10**9)}"
    replay(owner, queue, [Vote(item_id, who, "tie", left_side(side_key, item_id)) for item_id in there[:5]], side_key)
    after = responses(owner, queue.id)
    assert {name: after[name] for name in before} == before
    return after


NEW_FORM = FormSettings(tie=False, criteria={"accuracy": ""})
"""Without strength and ties."""


def held(vote):
    """The vote as `NEW_FORM` holds it; None where it can't be a vote of its status."""
    choice = None if vote.choice == "tie" else vote.choice
    if choice is None and vote.status == "discarded":
        choice = "skip"
    kept = replace(vote, choice=choice, strength=None)
    nothing = choice is None and not vote.criteria and vote.critique is None
    return None if choice is None and (vote.status == "submitted" or nothing) else kept


def without_times(votes):
    return sorted((replace(vote, seconds=None) for vote in votes), key=lambda vote: (vote.item_id, vote.annotator))


@pytest.fixture
def filled(owner, collect_settings, tmp_path):
    """A queue with 40 items and 120 votes, as they were pulled from it."""
    items = make_items(40)
    shares = share_out(collect_settings, items)
    queue = open_queue(owner, collect_settings)
    push(owner, queue, items, KEY)
    replay(owner, queue, votes_on(items), KEY)
    return shares, queue, pulled(owner, shares, tmp_path / "carried.jsonl")


def test_the_next_version_has_every_vote_as_it_was_given_and_the_old_one_stays(
    owner, collect_settings, filled, tmp_path
):
    shares, old, before = filled
    untouched, ledger = responses(owner, old.id), tmp_path / "carried.jsonl"
    changed = share_out(collect_settings.model_copy(update={"form": NEW_FORM}), shares.rows[0].items)
    with pytest.raises(UserError, match="prefloop collect migrate"):
        open_queue(owner, changed.rows[0].settings)

    [result] = migrate(owner, changed, KEY, ledger)
    expected = [kept for vote in before if (kept := held(vote))]
    queue = find_queue(owner, changed.rows[0].settings)
    assert (queue.name, queue.version, result.queue) == (f"{collect_settings.queue}.v2", 2, queue.name)
    assert (result.carried, result.pushed.added) == (len(expected), 40)
    assert {name for names in result.left_out.values() for name in names} == {v.id for v in before if not held(v)}
    assert set(result.values_left_out["strength"]) == {v.id for v in before if held(v) and v.strength}
    after = pulled(owner, changed, ledger)
    assert without_times(after) == without_times(expected)  # ids, protocol and times of old included
    assert {vote.protocol for vote in after} == {old.protocol} != {queue.protocol}
    assert responses(owner, old.id) == untouched

    again = migrate(owner, changed, KEY, ledger)
    assert [(row.carried, row.pushed.added) for row in again] == [(len(expected), 0)]
    assert pulled(owner, changed, ledger) == after

    # Somebody changes their mind in the new version, somebody else answers late in the old one.
    [mind] = [vote for vote in after if vote.choice == "A" and vote.status == "submitted"][:1]
    replay(owner, queue, [replace(mind, choice="B", strength=None)], KEY)
    late = Vote(mind.item_id, "dora", "both_bad", mind.left)
    replay(owner, old, [late], KEY)
    migrate(owner, changed, KEY, ledger)
    found = {(vote.item_id, vote.annotator): vote for vote in pulled(owner, changed, ledger)}
    anew = found[mind.item_id, mind.annotator]
    assert (anew.choice, anew.protocol, anew.id != mind.id) == ("B", queue.protocol, True)
    assert (found[mind.item_id, "dora"].choice, found[mind.item_id, "dora"].protocol) == ("both_bad", old.protocol)
    assert len(found) == len(expected) + 1

    # And once more, to the first form: what was given two versions ago is still known for what it was.
    third = migrate(owner, shares, KEY, ledger)
    assert [row.version for row in third] == [3]
    final = {(vote.item_id, vote.annotator): vote for vote in pulled(owner, shares, ledger)}
    assert {place: (vote.id, vote.protocol, vote.updated_at) for place, vote in final.items()} == {
        place: (vote.id, vote.protocol, vote.updated_at) for place, vote in found.items()
    }


def test_a_migration_stopped_anywhere_is_finished_by_the_next_and_doubles_nothing(
    owner, collect_settings, filled, tmp_path
):
    shares, _, before = filled
    changed = share_out(collect_settings.model_copy(update={"form": NEW_FORM}), shares.rows[0].items)
    ledger, stops = tmp_path / "carried.jsonl", 0
    while True:
        with Argilla(owner.url, owner._http.headers["X-Argilla-Api-Key"]) as dying:
            left = [stops]

            def call(method, path, *, left=left, dying=dying, **more):
                if method != "GET":
                    left[0] -= 1
                    if left[0] < 0:
                        raise KeyboardInterrupt
                return Argilla.call(dying, method, path, **more)

            dying.call = call
            try:
                migrate(dying, changed, KEY, ledger)
                break
            except KeyboardInterrupt:
                stops += 1
        if stops > 1:
            with pytest.raises(UserError, match="migrate` again"):
                find_queue(owner, changed.rows[0].settings)
    assert stops >= 3
    assert without_times(pulled(owner, changed, ledger)) == without_times([v for vote in before if (v := held(vote))])


def test_votes_can_be_left_behind_on_purpose(owner, collect_settings, filled, tmp_path):
    shares, _, _ = filled
    changed = share_out(collect_settings.model_copy(update={"form": NEW_FORM}), shares.rows[0].items)
    [result] = migrate(owner, changed, KEY, tmp_path / "carried.jsonl", carry_votes=False)
    assert (result.carried, result.pushed.added) == (0, 40)
    assert pulled(owner, changed, tmp_path / "carried.jsonl") == []


def test_each_skill_has_a_queue_and_votes_move_when_skills_do(owner, collect_settings, tmp_path):
    items = make_items(12, tags=lambda n: [("code",), ("safety",), ("code", "safety"), ()][n % 4])
    (tmp_path / "code.md").write_text("Choose the better code.")
    skills = {
        "code": SkillSettings(guidelines=tmp_path / "code.md"),
        "safety": SkillSettings(workspace="safety-team", annotators=("bo",)),
    }
    plain, ledger = share_out(collect_settings, items), tmp_path / "carried.jsonl"
    push(owner, open_queue(owner, collect_settings), items, KEY)
    replay(owner, find_queue(owner, collect_settings), votes_on(items), KEY)
    before = pulled(owner, plain, ledger)

    shares = share_out(collect_settings.model_copy(update={"skills": skills}), items)
    assert [(share.skill, len(share.items)) for share in shares.rows] == [(None, 3), ("code", 6), ("safety", 3)]
    assert len(shares.several) == 3
    results = migrate(owner, shares, KEY, ledger)
    assert [(row.queue.removeprefix(collect_settings.queue), row.version) for row in results] == [
        ("", 1), (".code", 1), (".safety", 1),
    ]  # fmt: skip
    assert without_times(pulled(owner, shares, ledger)) == without_times(before)
    queues = [find_queue(owner, share.settings) for share in shares.rows]
    assert [queue.workspace for queue in queues] == ["prefloop", "prefloop", "safety-team"]
    assert queues[0].protocol == queues[2].protocol != queues[1].protocol

    # Without the skills again, everything is back in the main queue, which never lost it.
    migrate(owner, plain, KEY, ledger)
    assert without_times(pulled(owner, plain, ledger)) == without_times(before)


def test_a_queue_filled_by_another_run_is_not_taken_for_this_ones(owner, collect_settings):
    items = make_items(20)
    queue = open_queue(owner, collect_settings)
    push(owner, queue, items, KEY)
    with pytest.raises(UserError, match="another run filled it"):
        push(owner, queue, items, b"another run's key")


def test_people_from_a_file_get_accounts_that_work(argilla, owner, collect_settings, prefloop, tmp_path):
    write_rows(collect_settings.items, make_items(4, tags=lambda n: ("code",) if n else ()))
    skills = {"code": SkillSettings(workspace="coders")}
    recipe = recipe_file(collect_settings.model_copy(update={"skills": skills}))
    (tmp_path / "people.csv").write_text("username,name,skill,role\nzoë-f,Zoë F,code,\n李雷-f,,,\ndan-f,,code,admin\n")
    invited = ("collect", "invite", recipe, "--from", tmp_path / "people.csv", "--passwords-to", tmp_path / "new.csv")
    code, out, said = finished(prefloop(*invited))
    assert code == 0, said
    assert stat.S_IMODE((tmp_path / "new.csv").stat().st_mode) == 0o600
    rows = list(csv.DictReader((tmp_path / "new.csv").read_text().splitlines()))
    assert [(row["username"], row["role"]) for row in rows] == [
        ("zoë-f", "annotator"), ("李雷-f", "annotator"), ("dan-f", "admin"),
    ]  # fmt: skip
    assert [_workspaces(argilla.url, row) for row in rows] == [["coders"], ["prefloop"], ["coders"]]
    for row in rows:
        assert row["password"] not in out + said
        assert [
            path for path in (tmp_path / "runs").rglob("*") if path.is_file() and row["password"] in path.read_text()
        ] == []

    code, _, said = finished(prefloop(*invited))
    assert (code, "exists" in said) == (2, True)
    assert list(csv.DictReader((tmp_path / "new.csv").read_text().splitlines())) == rows
    code, out, _ = finished(prefloop("collect", "invite", recipe, "--from", tmp_path / "people.csv"))
    assert (code, out.count("has one already")) == (0, 3)
    workspaces = {None: find_workspace(owner, "prefloop")}
    [reset] = invite(owner, [Person("李雷-f")], workspaces, reset_password=True)
    assert _workspaces(argilla.url, {"username": "李雷-f", "password": reset.password}) == ["prefloop"]
    assert _workspaces(argilla.url, rows[1]) is None


def find_workspace(owner, name):
    return next(row["id"] for row in owner.items("/me/workspaces") if row["name"] == name)


def _workspaces(url, row):
    """Log in as the web page does; return the workspaces that this account sees, None where it can't log in."""
    with httpx.Client(base_url=f"{url}/api/v1") as http:
        answer = http.post("/token", data={"username": row["username"], "password": row["password"]})
        if answer.status_code != 201:
            return None
        token = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        return [found["name"] for found in http.get("/me/workspaces", headers=token).json()["items"]]


def test_a_project_from_init_can_be_pushed_labelled_pulled_and_migrated(owner, prefloop, tmp_path):
    def done(*arguments):
        code, out, said = finished(prefloop(*arguments))
        assert code == 0, said
        return out

    done("init", "parcels", "--task", "Answers customers who ask for their parcel.", "--ask", "ranking", "--votes", "1")
    recipe = tmp_path / "parcels/recipe.yaml"
    assert "3" in done("collect", "push", recipe)
    items, run = read_items(tmp_path / "parcels/items.jsonl"), tmp_path / "runs/parcels"
    key = bytes.fromhex((run / "collect/side_key").read_text().strip())
    votes = [Vote(item.id, "ann", "A", "A", ranking=(1, 2, 2)) for item in items]
    replay(owner, find_queue(owner, load_recipe(recipe).collect), votes, key)
    before = json.loads(done("collect", "pull", recipe, "--json"))
    assert (before["votes"], before["items"], before["statuses"]) == (3, 3, {"submitted": 3})
    assert before["training_pairs"] + before["sealed_pairs"] > 0

    recipe.write_text(recipe.read_text().replace("    candidates: 3", "    critique: none\n    candidates: 3"))
    code, _, said = finished(prefloop("collect", "push", recipe))
    assert (code, "`prefloop collect migrate`" in said) == (2, True)
    [result] = json.loads(done("collect", "migrate", recipe, "--json"))
    assert (result["queue"], result["carried"], result["left_out"]) == ("parcels.v2", 3, {})
    after = json.loads(done("collect", "pull", recipe, "--json"))
    moved = {"queue", "protocol", "responses_read", "incremental"}
    assert {name: value for name, value in after.items() if name not in moved} == {
        name: value for name, value in before.items() if name not in moved
    }
    [only] = json.loads((run / "collect/queues.json").read_text())["queues"]
    assert (only["version"], only["items"]) == (2, 3)
    assert "parcels.v2" in done("collect", "status", recipe, "--json")
