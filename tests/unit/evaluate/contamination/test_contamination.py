import gzip
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from prefloop.collect.item import Message
from prefloop.collect.pair import PreferencePair
from prefloop.collect.sealing.evaluation_texts import EvaluationText
from prefloop.evaluate.contamination import (
    Contamination,
    find_contamination,
    items_of_file,
    items_of_pairs,
    items_of_questions,
    kept_contamination,
    say,
    section,
    with_and_without,
)
from prefloop.evaluate.mt_bench import Question
from prefloop.evaluate.statistics import Plan
from pydantic import TypeAdapter

PLAN = Plan(samples=1000)
TOPICS = ("how glaciers carve their valleys", "why bread rises in the oven", "what makes a violin sound warm")


def pair(asked: str, chosen: str = "yes", rejected: str = "no") -> PreferencePair:
    return PreferencePair((Message("user", asked),), chosen, rejected, 1.0, "i", ("v",))


def questions(*numbers: int) -> list[Question]:
    return [
        Question(81 + n, "writing", (f"Explain in detail to a curious child {TOPICS[n]}.", "Make it shorter."))
        for n in numbers
    ]


def test_each_kind_of_overlap_is_found_with_the_items_id():
    told = "Explain in detail to a curious child"
    training = [
        pair(f"{told} {TOPICS[0]}"),
        pair("Unrelated words about taxes", f"Somebody once asked me to {told.lower()} {TOPICS[1]}, which I did."),
        pair(f"Please explain in detail to a curious child {TOPICS[2]}, now."),
    ]
    found = find_contamination(training, {"MT-Bench": items_of_questions(questions(0, 1, 2))})
    (benchmark,) = found.benchmarks
    assert benchmark.items == 3
    assert benchmark.overlapping["81"] == "exact"
    assert benchmark.overlapping["82"] == "n-gram"
    assert set(benchmark.overlapping) == {"81", "82", "83"}
    assert {one.id for one in found.overlaps} == {one.id for one in training}
    assert found.overlapping == 3


def test_a_near_duplicate_is_found():
    asked = "Could you tell me what the capital city of the large country of Australia is"
    found = find_contamination(
        [pair("Could you tell me what is the capital city of the country of Australia")],
        {"general.jsonl": [EvaluationText("general.jsonl", "1", asked)]},
    )
    assert found.benchmarks[0].overlapping == {"1": "near-duplicate"}


def test_sealed_prompts_of_one_task_may_share_their_frame():
    frame = "Sort this message of a customer into one of the five classes that we agreed upon: "
    told = "my parcel came open and half of the cups in it are broken into many pieces"
    sealed = items_of_pairs([pair(frame + told)])
    clean = find_contamination([pair(frame + "the invoice names the wrong company")], {"sealed": sealed})
    assert clean.overlapping == 0
    held = find_contamination([pair(frame + told)], {"sealed": sealed})
    assert held.overlapping == 1


def test_items_of_a_file_are_its_rows(tmp_path: Path):
    path = tmp_path / "general.jsonl"
    path.write_text(
        "".join(json.dumps({"question": f"Why is number {n} so special to people?"}) + "\n" for n in range(9))
    )
    assert [text.row for text in items_of_file(path, 3)] == ["1", "2", "3"]
    assert {text.file for text in items_of_file(path)} == {"general.jsonl"}


def test_a_result_is_computed_with_and_without_what_the_training_holds():
    names = [f"q{n}" for n in range(60)]
    base = dict.fromkeys(names, 0.0)
    tuned = {name: float(n < 20) for n, name in enumerate(names)}  # right on just what it was trained on
    found = with_and_without("General", base, tuned, names[:20], PLAN)
    assert found.everything.verdict == "better"
    assert found.without.verdict == "can't tell yet"
    assert found.without.difference.value == 0
    assert (found.everything.difference.n, found.without.difference.n) == (60, 40)
    assert found.changed
    assert with_and_without("General", base, tuned, [], PLAN).without == found.everything
    assert with_and_without("General", base, tuned, names, PLAN).without is None


def test_pairs_go_with_their_prompt():
    base = {"a1": 0.0, "a2": 1.0, "b": 1.0}
    found = with_and_without("Pairs", base, base, {"A"}, PLAN, clusters={"a1": "A", "a2": "A", "b": "B"})
    assert found.overlapping == ("a1", "a2")


def test_unlike_items_are_refused():
    with pytest.raises(ValueError, match=r"same items.*'y'"):
        with_and_without("x", {"x": 1.0}, {"x": 1.0, "y": 0.0}, [], PLAN)


def test_the_words_and_the_section_tell_it_all():
    asked = pair(f"Explain in detail to a curious child {TOPICS[0]}.")
    found = find_contamination([asked], {"<b>x</b>": items_of_questions(questions(0, 1))})
    names = [f"q{n}" for n in range(30)]
    scores = dict.fromkeys(names, 1.0)
    some = with_and_without("General", scores, scores, names[:3], PLAN)
    found = replace(found, recomputed=(some, with_and_without("All", scores, scores, names, PLAN)))
    said = say(found)
    assert "holds 1 of the 2 items of <b>x</b>: 1 exact" in said[0]
    assert "±0 points on all 30 items" in said[1]
    assert "says nothing about new ones" in said[2]
    page = section(found)
    assert "<b>x</b>" not in page
    assert "nothing left" in page
    adapter = TypeAdapter(Contamination)
    assert adapter.validate_json(adapter.dump_json(found)) == found


def test_nothing_found_says_what_was_looked_at():
    found = find_contamination([pair("Nothing of the kind at all")], {"MT-Bench": items_of_questions(questions(0))})
    assert say(found) == ("None of the 1 training pairs holds an evaluation item. Looked at: MT-Bench (1 items).",)
    assert "no evaluation item" in say(find_contamination([], {}))[0]
    assert section(find_contamination([], {}))


def test_what_could_not_be_looked_at_is_told():
    found = find_contamination([pair("Nothing of the kind at all")], {"MT-Bench": items_of_questions(questions(0))})
    _, told = say(replace(found, unseen=("round-1",)))
    assert "What round-1 was trained on, before this round, is not on this machine" in told


def test_llmbars_mt_bench_questions_are_found():
    data = os.environ.get("PREFLOOP_TEST_DATA")
    if not data:
        pytest.skip("PREFLOOP_TEST_DATA is not set: no real data to compare")
    lines = gzip.decompress((Path(data) / "preferences/llmbar.jsonl.gz").read_bytes()).decode().splitlines()
    rows = [json.loads(line) for line in lines]
    training = [pair(row["input"], row["output_1"], row["output_2"]) for row in rows]
    found = find_contamination(training, {"MT-Bench": items_of_file(Path(data) / "mt_bench/question.jsonl")})
    # The three that docs/sealing.md lists.
    assert len(found.benchmarks[0].overlapping) == 3


def test_the_same_texts_are_looked_through_once(tmp_path, monkeypatch):
    training, against = (
        [pair(questions(1)[0].turns[0]), pair("Something else")],
        {"MT-Bench": items_of_questions(questions(0, 1, 2))},
    )
    path = tmp_path / "contamination.json"
    found = kept_contamination(path, training, against)
    assert found == find_contamination(training, against)
    assert found.overlapping == 1
    monkeypatch.setattr("prefloop.evaluate.contamination.kept.find_contamination", lambda *texts: pytest.fail("again"))
    assert kept_contamination(path, training, against) == found
    monkeypatch.undo()
    others = {"MT-Bench": items_of_questions(questions(0, 2))}
    assert kept_contamination(path, training, others).overlapping == 0
