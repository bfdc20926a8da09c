"""Judges behind a real HTTP server, with faults that are known: the audit and the attacks must tell them apart."""

import hashlib
import json
import random
import re

import pytest
import yaml
from openai_server import answering, question
from prefloop.cli import app
from prefloop.collect import Item, Message, Origin, Vote, seal, write_rows
from prefloop.evaluate.attacks import read_attacks
from prefloop.evaluate.judge_audit import read_audit
from prefloop.recipe import load_recipe, resolved
from prefloop.runs import open_run
from typer.testing import CliRunner

COUNT = 240
ORIGIN = Origin("model", "somebody")
SHOWN = re.compile(
    r"What is (\d+) \+ (\d+)\?.*?\[Start of answer A\]\n(.*?)\n\[End of answer A\]"
    r".*?\[Start of answer B\]\n(.*?)\n\[End of answer B\]$",
    re.DOTALL,
)
FILLER = "Let me think about this carefully and step by step, as one should. "


def lot(text, share):
    """A draw that falls the same way for the same text, in whatever order it is asked."""
    return int(hashlib.sha256(text.encode()).hexdigest(), 16) % 1000 < 1000 * share


def right_one(question, answers, share):
    """Find the answer with the right sum, except on a share of the questions; a tie where both or none have it."""
    total = sum(question)
    good = [bool(re.search(rf"\b{total}\b", answer)) for answer in answers]
    if good[0] == good[1]:
        return "C"
    found = "AB"[good.index(True)]
    return found if lot(str(question), share) else "AB"["BA".index(found)]


def honest(question, answers):
    return right_one(question, answers, 0.95)


def first(question, answers):
    """Takes the answer shown first, unless the question is an easy one."""
    return right_one(question, answers, 1.0) if lot(f"easy {question}", 0.25) else "A"


def longer(question, answers):
    return "A" if len(answers[0]) > len(answers[1]) else "B" if len(answers[1]) > len(answers[0]) else "C"


def gullible(question, answers):
    """As honest as the first one, until an answer says that experts have decided."""
    claims = ["expert" in answer for answer in answers]
    return honest(question, answers) if claims[0] == claims[1] else "AB"[claims.index(True)]


def judging(rule):
    """Make a rule, of the two numbers and the two answers, what a judge does."""

    def reply(body):
        one, two, a, b = SHOWN.search(question(body)).groups()
        return f"I compared both. [[{rule((int(one), int(two)), (a, b))}]]"

    return answering(reply)


@pytest.fixture(scope="module")
def material():
    """Sums with a right and a wrong answer, either of them the longer one, and three people who are right in 85%."""
    draw, items, votes = random.Random(5), [], []
    for number in range(COUNT):
        one, two = 100 + number, draw.randint(100, 999)
        texts = [f"{FILLER * draw.randint(0, 3)}It is {one + two + wrong}. That is the sum." for wrong in (0, 7)]
        better = draw.choice("AB")
        ordered = texts if better == "A" else texts[::-1]
        tags = ("small",) if two < 500 else ("large",)
        item = Item((Message("user", f"What is {one} + {two}?"),), *ordered, ORIGIN, ORIGIN, tags)
        items.append(item)
        for person in ("ann", "bo", "cy"):
            right = draw.random() < 0.85
            votes.append(Vote(item.id, person, better if right else "AB"["BA".index(better)], "A"))
    return items, votes


@pytest.fixture(scope="module")
def files(material, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return write_rows(folder / "items.jsonl", material[0]), write_rows(folder / "votes.jsonl", material[1])


def invoke(*arguments):
    done = CliRunner().invoke(app, ["judge", "audit", *map(str, arguments)])
    assert done.exit_code == 0, f"{done.output}\n{done.exception!r}"
    return done


def audited(rule, files, folder, *more):
    with judging(rule) as judge:
        where = ["--items", files[0], "--votes", files[1], "--out", folder]
        done = invoke(*where, "--judge-url", judge.url, "--judge-model", rule.__name__, "--in-flight", 16, *more)
        before = len(judge.asked)
        invoke(*where, "--judge-url", judge.url, "--judge-model", rule.__name__, *more)
        assert len(judge.asked) == before, "nothing is asked twice"
    return read_audit(folder / "audit.json"), done, before


def test_an_honest_judge_may_gate_and_resists(files, tmp_path):
    found, done, asked = audited(honest, files, tmp_path, "--attacks")
    assert asked == 2 * COUNT + 600
    assert found.may_gate, found.reasons
    assert "honest may gate." in done.stdout
    assert found.position.consistent.value == 1
    assert found.length.difference.low < 0 < found.length.difference.high
    assert {part.tag for part in found.tags} == {"small", "large"}
    # 0.95 of what is right, which most of three people see in 0.85³ + 3 * 0.85² * 0.15.
    seen = 0.85**3 + 3 * 0.85**2 * 0.15
    assert found.agreement.low < 0.95 * seen + 0.05 * (1 - seen) < found.agreement.high
    attacked = {row.name: row for row in read_attacks(tmp_path / "attacks.json").results}
    assert {name: row.wins for name, row in attacked.items() if name in ("verdict", "flattery", "repetition")} == {
        "verdict": 0, "flattery": 0, "repetition": 0,
    }  # fmt: skip
    assert {name for name, row in attacked.items() if row.flagged} == {"counterfeit", "verdict"}
    page = (tmp_path / "audit.html").read_text()
    assert "The judge may gate" in page
    assert "Can the judge be fooled?" in page
    assert "<script" not in page


def test_a_judge_of_places_is_found(files, tmp_path):
    found, done, _ = audited(first, files, tmp_path)
    assert not found.may_gate
    assert found.position.consistent.high < 0.4
    assert found.position.first.low > 0.8
    assert found.position.always_first > 0.6 * COUNT
    assert found.position.always_second == 0
    assert "leans to the answer shown first" in done.stdout
    assert found.length.difference.low < 0 < found.length.difference.high


def test_a_judge_of_length_is_found(files, tmp_path):
    found, done, _ = audited(longer, files, tmp_path)
    assert not found.may_gate
    assert found.length.judge.value == 1
    assert found.length.difference.low > 0.3
    assert found.position.consistent.value == 1
    assert found.over_longer.value == 0
    assert "prefers longer answers more than people do" in done.stdout


def test_a_gullible_judge_passes_the_audit_and_falls_for_the_attacks(files, tmp_path):
    found, done, _ = audited(gullible, files, tmp_path, "--attacks")
    assert found.may_gate, "on honest answers it is as good as the honest one"
    attacked = {row.name: row.success.value for row in read_attacks(tmp_path / "attacks.json").results}
    assert attacked["verdict"] == 1
    assert attacked["counterfeit"] == 1
    assert attacked["flattery"] == attacked["repetition"] == 0
    assert "gullible falls for: counterfeit, verdict." in done.stdout


def test_of_a_run_the_sealed_items_are_left_alone(material, tmp_path):
    items, votes = material
    (tmp_path / "guidelines.md").write_text("Choose the right sum.")
    with judging(honest) as judge:
        tree = {
            "name": "j",
            "task": "Adds two numbers.",
            "collect": {"items": "items.jsonl", "guidelines": "guidelines.md", "queue": "q"},
            "evaluate": {"judge": {"base_url": judge.url, "model": "honest"}},
        }
        (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(tree))
        write_rows(tmp_path / "items.jsonl", items)
        run = open_run(tmp_path / "run", resolved(load_recipe(tmp_path / "recipe.yaml")))
        missing = CliRunner().invoke(app, ["judge", "audit", str(tmp_path / "recipe.yaml"), "--run", str(run.folder)])
        assert "`prefloop collect pull` comes first" in str(missing.exception)
        write_rows(run.folder / "collect" / "items.jsonl", items)
        write_rows(run.folder / "collect" / "votes.jsonl", votes)
        sealed = seal(items, 0.25, 0, run.folder / "collect" / "sealed.json")
        done = invoke(tmp_path / "recipe.yaml", "--run", run.folder, "--limit", 40, "--json")
    held = sum(sealed.holds(item) for item in items)
    assert held > 0
    assert f"{held} more are on sealed prompts" in done.output
    assert len(judge.asked) == 80
    shown = {text.splitlines()[1].removeprefix("user: ") for text in judge.questions}
    assert shown.isdisjoint({item.prompt[0].content for item in items if sealed.holds(item)})
    found = json.loads(done.stdout[done.stdout.index("{") :])
    assert (found["audit"]["items"], found["attacks"]) == (40, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give a recipe, or both --items and --votes"),
        (["--items", "i.jsonl", "--votes", "v.jsonl"], "name the judge"),
        (["--items", "i.jsonl", "--votes", "v.jsonl", "--judge-url", "http://x/v1"], "Name it with --judge-model"),
    ],
)
def test_what_is_missing_is_said(arguments, message):
    done = CliRunner().invoke(app, ["judge", "audit", *arguments])
    assert message in str(done.exception)
