"""Own tables by a column map."""

import csv
import json

import pytest
from prefloop.collect import make_pairs
from prefloop.collect.sources import Options, import_label_studio, import_table
from prefloop.errors import Problems, UserError

ROWS = [
    {
        "question": "Boil an egg?",
        "left": "Eight minutes.",
        "right": "In water.",
        "winner": "1",
        "who": "ann",
        "sure": "3",
    },
    {
        "question": "Boil an egg?",
        "left": "Eight minutes.",
        "right": "In water.",
        "winner": "2",
        "who": "bo",
        "sure": "",
    },
    {"question": "Slice bread?", "left": "A saw.", "right": "A knife.", "winner": "0", "who": "ann", "sure": "1"},
    {"question": "Slice bread?", "left": "A saw.", "right": "A knife.", "winner": "9", "who": "bo", "sure": "1"},
]
MAP = {"prompt": "question", "response_a": "left", "response_b": "right", "label": "winner", "annotator": "who",
       "strength": "sure"}  # fmt: skip
OPTIONS = Options(columns=MAP, labels={"1": "A", "2": "B", "0": "tie"})


def write(path, rows):
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".parquet":
        import pyarrow
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows), encoding="utf-8")
    else:
        path.write_text("".join(json.dumps(row) + "\n\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "parquet"])
def test_every_form_gives_the_same_items_and_votes(tmp_path, form, accounted):
    rows = [{**row, "sure": row["sure"] or None} for row in ROWS] if form != "csv" else ROWS
    imported = accounted(import_table(write(tmp_path / f"mine.{form}", rows), OPTIONS))
    assert [item.response_a for item in imported.items] == ["Eight minutes.", "A saw."]
    assert [(vote.annotator, vote.choice, vote.strength, vote.id) for vote in imported.votes] == [
        ("ann", "A", 3, "mine:0"),
        ("bo", "B", None, "mine:1"),
        ("ann", "tie", 1, "mine:2"),
    ]
    assert imported.refused == {"label '9' is not understood; say what it means, for example --label A=9": ("3",)}


def test_a_datasets_folder_is_a_table_too(tmp_path, accounted):
    from datasets import Dataset, DatasetDict

    DatasetDict(train=Dataset.from_list(ROWS), test=Dataset.from_list(ROWS[:1])).save_to_disk(tmp_path / "saved")
    imported = accounted(
        import_table(str(tmp_path / "saved"), Options(columns=MAP, labels=OPTIONS.labels, split="train"))
    )
    assert len(imported.votes) == 3
    assert any(name.endswith(".arrow") for name in imported.source.files)
    with pytest.raises(UserError, match="has the splits train, test; choose one with --split"):
        import_table(str(tmp_path / "saved"), OPTIONS)
    with pytest.raises(UserError, match="neither a file here nor a data set that can be had"):
        import_table(str(tmp_path / "nothing"), OPTIONS)


def test_chosen_and_rejected_may_be_text_or_conversations(tmp_path, accounted):
    user, good, bad = (
        {"role": "user", "content": "Hi"},
        {"from": "gpt", "value": "Hello."},
        {"from": "gpt", "value": "No."},
    )
    rows = [
        {"prompt": "Hi", "chosen": "Hello.", "rejected": "No."},
        {"prompt": [user], "chosen": good, "rejected": bad, "annotator": 7},
        {"chosen": [user, good], "rejected": [user, bad], "annotator": "c"},
        {"chosen": [user, good], "rejected": [{"role": "user", "content": "Ho"}, bad]},
        {"prompt": "Hi", "chosen": "No.", "rejected": "Hello.", "annotator": "d"},
    ]
    imported = accounted(import_table(write(tmp_path / "pairs.jsonl", rows), Options()))
    [item] = imported.items  # one order for the same two texts, whichever was chosen
    assert [vote.annotator for vote in imported.votes] == ["pairs", "7", "c", "d"]
    assert len({vote.choice for vote in imported.votes[:3]}) == 1
    assert imported.votes[3].choice != imported.votes[0].choice
    assert imported.refused == {"the two conversations differ before the last answer": ("3",)}
    [pair] = make_pairs(imported.items, imported.votes).pairs
    assert (pair.chosen, pair.weight) == ("Hello.", 0.75)
    assert item.origin_a.kind == "dataset"


def test_rows_without_a_label_are_items_to_be_labelled(tmp_path, accounted):
    rows = [{"prompt": "Hi", "response_a": "a", "response_b": "b", "model_a": "one", "tags": ["x", "y"]}] * 2
    imported = accounted(import_table(write(tmp_path / "t.jsonl", rows), Options()))
    [item] = imported.items
    assert (imported.votes, item.origin_a.name, item.tags) == ((), "one", ("x", "y"))
    assert imported.refused == {"the same item again, without a vote": ("1",)}


def test_what_else_a_vote_can_hold(tmp_path):
    row = {"prompt": "Hi", "system": "Be kind.", "response_a": "a", "response_b": "b", "label": "Model_B",
           "first_shown": "b", "seconds": "4.5", "time": "2024-01-02T03:04:05+01:00", "critique": "!", "edit": "bb",
           "item": 5, "vote": "v9"}  # fmt: skip
    imported = import_table(write(tmp_path / "t.jsonl", [row]), Options())
    [vote], [item] = imported.votes, imported.items
    assert (vote.choice, vote.left, vote.seconds, vote.critique, vote.edit) == ("B", "B", 4.5, "!", "bb")
    assert (vote.inserted_at, vote.id) == ("2024-01-02T02:04:05+00:00", "t:v9")
    assert item.prompt[0].role == "system"
    assert item.origin_a.row == "5"


def test_a_map_that_fits_nothing_is_told_at_once(tmp_path):
    path = write(tmp_path / "t.jsonl", ROWS)
    with pytest.raises(Problems) as told:
        import_table(path, Options(columns={"promt": "question", "label": "winer"}))
    assert len(told.value.problems) == 2
    assert "there are question, " in str(told.value) or "question" in told.value.problems[1]


def test_files_that_are_none_are_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"nosuch\.jsonl\.gz does not exist"):
        import_table(str(tmp_path / "nosuch.jsonl.gz"), Options())
    for name, text, said in (("a.txt", "x", "must end in"), ("a.json", "{", "is not JSON"), ("b.json", "{}", "array"),
                             ("a.parquet", "x", "Parquet"), ("a.jsonl.gz", "x", "can't be read")):  # fmt: skip
        (tmp_path / name).write_text(text)
        with pytest.raises(UserError, match=said):
            import_table(str(tmp_path / name), Options())
    (tmp_path / "a.csv").write_bytes(b"prompt\n\xff")
    with pytest.raises(UserError, match="UTF-8"):
        import_table(str(tmp_path / "a.csv"), Options())


def test_label_studios_annotators_stay_apart(example, accounted):
    options = Options(
        columns={"prompt": "question", "response_a": "answer1", "response_b": "answer2", "strength": "strength",
                 "critique": "why"},
        labels={"Both are bad": "both_bad"},
    )  # fmt: skip
    imported = accounted(import_label_studio(example("label_studio.json"), options))
    votes = {vote.id: vote for vote in imported.votes}
    first = votes["label_studio:annotation-1001"]
    assert (first.choice, first.strength, first.critique, first.seconds) == ("A", 3, "Says how long.", 12.5)
    assert (first.left, first.annotator) == ("A", "label-studio-10")
    assert votes["label_studio:annotation-1002"].annotator == "label-studio-11"  # no name, no address
    skipped = votes["label_studio:annotation-1003"]
    assert (skipped.choice, skipped.status) == ("skip", "discarded")
    assert votes["label_studio:annotation-1004"].choice == "both_bad"
    assert votes["label_studio:annotation-1004"].left is None  # a Choices control: nobody knows what stood where
    assert len(imported.items) == 3
    assert imported.notes == {"an annotation was left out: it holds no choice": ("1",)}
    assert imported.refused == {
        "both responses are the same": ("3",),
        "an annotation was left out: completed_by does not say who": ("4",),
    }
    assert "example.org" not in repr(imported)
