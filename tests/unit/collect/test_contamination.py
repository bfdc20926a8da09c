import csv
import gzip
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from prefloop.collect import Message, PreferencePair, seal
from prefloop.collect.sealing.contamination import Text, holding_sealed, item_texts, overlaps, pair_texts
from prefloop.collect.sealing.evaluation_texts import EvaluationText, read_evaluation_texts
from prefloop.errors import Problems, UserError

LONG = "A train leaves the old station at noon and travels north for three hours at eighty miles an hour without a stop"
SHORT = "How many planets are there in our solar system?"


@pytest.fixture(scope="module")
def data():
    if not (folder := os.environ.get("PREFLOOP_TEST_DATA")):
        pytest.skip("PREFLOOP_TEST_DATA is not set")
    return Path(folder)


def against(*texts):
    return [EvaluationText("eval.jsonl", str(row), text) for row, text in enumerate(texts, 1)]


def found(text, *texts, asked=True):
    return [(one.kind, one.row, one.share) for one in overlaps([Text("x", "prompt", text, asked)], against(*texts))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"  {LONG.upper()}?! ", [("exact", "1", 1.0)]),
        (f"Solve this. {LONG}. How far does it get?", [("n-gram", "1", 1.0)]),
        (LONG.replace("noon", "dawn"), [("n-gram", "1", 0.636)]),
        (f"As a warm-up: {SHORT} And in all galaxies?", [("n-gram", "2", 1.0)]),
        (SHORT.replace("planets", "moons"), [("near-duplicate", "2", 0.7)]),
        ("What happens at noon when a train leaves the old station for the north?", []),
        ("Where is my parcel?", []),
        ("A quiz for you: who painted the Mona Lisa? Answer in a word.", [("n-gram", "4", 1.0)]),
        ("Is that so? Where is it? I can't find it.", []),
        ("", []),
    ],
)
def test_what_stands_in_the_evaluation_is_found(text, expected):
    assert found(text, LONG, SHORT, "Where is it?", "Who painted the Mona Lisa?") == expected


def test_answers_need_more_words_than_questions():
    proverb = "Laughter is the best medicine."
    assert found(proverb, proverb) == [("exact", "1", 1.0)]
    assert found(proverb, proverb, asked=False) == []
    assert found(SHORT, SHORT, asked=False) == [("exact", "1", 1.0)]
    assert found(SHORT.replace("planets", "moons"), SHORT, asked=False) == []


def test_forms_of_words_and_rows_of_numbers_are_not_counted():
    form = "Answer the following question about the causes of what happens in the short story that stands below:"
    stories = [f"{form} story{n} " + " ".join(f"w{n}{k}" for k in range(20)) for n in range(11)]
    assert found(f"{form} mine", *stories) == []
    assert len(found(f"{form} mine", *stories[:10])) == 10
    assert found(" ".join(map(str, range(30))), " ".join(map(str, range(40))), asked=False) == []


def test_the_strongest_sign_is_told_once_with_id_part_file_and_row(make_item):
    item = make_item(prompt=LONG, a=f"You ask: {LONG}", b="No idea.")
    (one,) = overlaps(item_texts([item]), against("x", LONG))
    assert (one.id, one.part, one.kind, one.file, one.row) == (item.id, "prompt", "exact", "eval.jsonl", "2")
    pair = PreferencePair(make_item().prompt, f"Well: {LONG}", "No.", 1.0, item.id, ("v",))
    assert [one.part for one in overlaps(pair_texts([pair]), against(LONG))] == ["chosen"]
    assert overlaps(item_texts([item]), []) == []
    assert overlaps([], against(LONG)) == []


def test_examples_in_a_system_message_are_found(make_item):
    item = replace(make_item(), prompt=(Message("system", f"Example: {LONG}"), Message("user", "Hi")))
    assert [one.kind for one in overlaps(item_texts([item]), against(LONG))] == ["n-gram"]


def test_a_sealed_prompt_inside_a_training_text_is_found(make_item, tmp_path):
    items = [make_item(prompt=text) for text in (LONG, "Where is my parcel?")]
    sealed = seal(items, 0.5, 0, tmp_path / "sealed.json")
    seed = 0
    while not sealed.holds(items[0]):
        seed += 1
        sealed = seal(items, 0.5, seed, tmp_path / f"{seed}.json")
    inside = make_item(
        prompt=f"My teacher asked me this. {LONG}. I don't know, and there is more: " + "and so on " * 30
    )
    (one,) = holding_sealed(item_texts([inside, items[1]]), sealed)
    assert (one.id, one.file, one.row) == (inside.id, "sealed.json", items[0].prompt_id)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("e.jsonl", '{"q": "one two", "n": 1, "turns": ["three", {"four": "five"}]}\n\n{"q": "six", "label": "x"}\n'),
        ("e.json", '{"canary": "no", "examples": [{"q": ["one two", "three", "five"]}, {"q": "six", "label": "x"}]}'),
        ("e.csv", '\ufeffq,a,b,label\n"one two",three,five,x\nsix,x,x,x\n'),
    ],
)
def test_every_text_of_every_row_is_read(tmp_path, name, content):
    plain, zipped = tmp_path / name, tmp_path / f"{name}.gz"
    plain.write_text(content, encoding="utf-8")
    zipped.write_bytes(gzip.compress(content.encode()))
    for path in (plain, zipped):
        rows = [(row.row, row.text) for row in read_evaluation_texts(path) if row.text != "x"]
        assert rows == [("1", "one two"), ("1", "three"), ("1", "five"), ("2", "six")]
    (tmp_path / "e.txt").write_text("one\n\ntwo\n")
    assert [row.row for row in read_evaluation_texts(tmp_path / "e.txt")] == ["1", "2"]


def test_texts_of_many_rows_are_labels(tmp_path):
    path = tmp_path / "e.jsonl"
    path.write_text("".join(json.dumps({"q": f"question {n}", "split": "validation"}) + "\n" for n in range(3)))
    assert [row.text for row in read_evaluation_texts(path)] == ["question 0", "question 1", "question 2"]


def test_an_earlier_runs_sealed_prompts_are_evaluation_texts(make_item, tmp_path):
    items = [make_item(prompt=text) for text in (LONG, "Where is my parcel?")]
    sealed = seal(items, 0.5, 0, tmp_path / "sealed.json")
    rows = read_evaluation_texts(tmp_path / "sealed.json")
    assert {row.row for row in rows} == sealed.prompt_ids
    assert {row.text for row in rows} == {item.prompt[0].content for item in items if sealed.holds(item)}


def test_a_file_that_holds_no_evaluation_texts_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "bad.jsonl").write_text('{"a": 1}\n{"a"\nnope\n')
    with pytest.raises(Problems) as refused:
        read_evaluation_texts(tmp_path / "bad.jsonl")
    assert [problem.partition(":")[0] for problem in refused.value.problems] == ["line 2", "line 3"]
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "bad.csv").write_bytes(b"\xff\xfe\xfa")
    (tmp_path / "bad.gz").write_bytes(b"no")
    (tmp_path / "bad.xlsx").write_bytes(b"no")
    for name in ("bad.json", "bad.csv", "bad.gz", "bad.xlsx", "missing.jsonl"):
        with pytest.raises(UserError, match=name):
            read_evaluation_texts(tmp_path / name)


def test_truthfulqa_mixed_into_real_items_is_found_and_nothing_else(data, make_item):
    """What happened to UltraFeedback, whose prompts held TruthfulQA's questions."""
    rows = json.loads(gzip.decompress((data / "preferences/pandalm_testset_v1.json.gz").read_bytes()))
    items = [
        make_item(prompt=f"{row['instruction']}\n{row['input']}", a=str(row["response1"]), b=f"{n} {row['response2']}")
        for n, row in enumerate(rows)
    ]
    evaluation = read_evaluation_texts(data / "truthfulqa/TruthfulQA.csv")
    assert overlaps(item_texts(items), evaluation) == []
    with (data / "truthfulqa/TruthfulQA.csv").open(encoding="utf-8", newline="") as file:
        questions = [row["Question"] for row in csv.DictReader(file)][::10]
    mixed = [make_item(prompt=f"  {text.upper()} ", a="a") for text in questions]
    inside = [make_item(prompt=f"Answer truthfully and in detail, please: {text} Thanks!", a="b") for text in questions]
    hits = overlaps(item_texts([*items, *mixed, *inside]), evaluation)
    assert {item.id for item in mixed} <= {one.id for one in hits}
    assert {one.id for one in hits} <= {item.id for item in (*mixed, *inside)}
    missed = [item for item in inside if item.id not in {one.id for one in hits}]
    assert max((len(item.prompt[0].content.split()) for item in missed), default=0) <= 7 + 4  # four words and fewer


def test_llmbars_mt_bench_questions_are_found(data):
    """A contamination that nobody made for this test."""
    with gzip.open(data / "preferences/llmbar.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    texts = [Text(str(n), "prompt", row["input"], True) for n, row in enumerate(rows)]
    hits = overlaps(texts, read_evaluation_texts(data / "mt_bench/question.jsonl"))
    assert sorted((one.id, one.kind) for one in hits) == [("18", "n-gram"), ("2", "exact"), ("9", "exact")]
