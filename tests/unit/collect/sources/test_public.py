"""Public data sets: the real files where there are some, else files in their documented shape."""

from collections import Counter

import pytest
from prefloop.collect import agreement, make_pairs
from prefloop.collect.sources import (
    Options,
    import_arena,
    import_binarised,
    import_hh_rlhf,
    import_llmbar,
    import_mt_bench,
    import_pandalm,
    import_source,
    import_ultrafeedback,
)
from prefloop.errors import UserError
from prefloop.runs import silent


def test_pandalms_999_pairs_keep_three_votes_each(preferences, accounted):
    imported = accounted(import_pandalm(str(preferences / "pandalm_testset_v1.json.gz"), Options()))
    assert (len(imported.items), len(imported.votes), imported.refused) == (999, 2997, {})
    assert {note: len(rows) for note, rows in imported.notes.items()} == {
        "a response that is a boolean was taken as its word": 6,
        "a response is empty: the model wrote nothing": 54,
    }
    assert Counter(vote.choice for vote in imported.votes).keys() == {"A", "B", "tie"}
    assert {item.origin_a.kind for item in imported.items} == {"model"}
    assert "llama-7b" in {item.origin_b.name for item in imported.items}
    assert imported.source.licence == "Apache-2.0"
    assert imported.source.files == {
        "pandalm_testset_v1.json.gz": "13820bf22d8716b3ebdeef1966d11b7fcf3eb0f447df8292eec2bdacc5dd4e25"
    }


def test_nothing_is_said_about_which_side_was_shown_where_nobody_knows(preferences):
    imported = import_pandalm(str(preferences / "pandalm_testset_v1.json.gz"), Options())
    assert {vote.left for vote in imported.votes} == {None}
    assert agreement(imported.votes, resamples=10).first_shown is None


def test_hh_rlhfs_dirt_is_refused_by_kind(preferences, accounted):
    refused = Counter()
    for name in ("train1800", "test512"):
        path = preferences / f"hh_rlhf_harmless_base_{name}.jsonl.gz"
        imported = accounted(import_hh_rlhf(str(path), Options()))
        refused += Counter({reason: len(rows) for reason, rows in imported.refused.items()})
        assert all(item.prompt[0].role == "user" for item in imported.items)
        texts = [text for item in imported.items for text in (item.response_a, item.response_b)]
        assert not [text for text in texts if "\n\nHuman:" in text or "\n\nAssistant:" in text]
        # Chosen is neither always A nor always B: agreement and reliability would then be undefined.
        sides = Counter(vote.choice for vote in imported.votes)
        assert 0.4 < sides["A"] / len(imported.votes) < 0.6
    assert refused == {
        "the two transcripts differ before the last reply": 5,
        "chosen ends with an empty reply": 4,
    }


def test_hh_rlhfs_chosen_reply_is_the_pairs_chosen_one(preferences):
    imported = import_hh_rlhf(str(preferences / "hh_rlhf_harmless_base_test512.jsonl.gz"), Options(limit=1))
    [pair] = make_pairs(imported.items, imported.votes).pairs
    assert pair.chosen.startswith("That\u2019s a bad idea.")
    assert pair.rejected.startswith("Oh! Are you sneaking out")
    assert [message.role for message in pair.prompt] == ["user"]


def test_llmbars_labels_name_the_better_output(preferences, accounted):
    imported = accounted(import_llmbar(str(preferences / "llmbar.jsonl.gz"), Options()))
    assert len(imported.items) == len(imported.votes) == 419
    assert Counter(vote.choice for vote in imported.votes) == {"A": 206, "B": 213}
    assert {"Natural"} < {tag for item in imported.items for tag in item.tags}


def test_ultrafeedback_goes_by_the_aspects_not_by_the_broken_score(example, accounted):
    imported = accounted(import_ultrafeedback(example("ultrafeedback.jsonl"), Options()))
    first, second = make_pairs(imported.items, imported.votes).pairs
    assert first.chosen == "The Nile."  # the worst answer, The Danube., has overall_score 10
    assert second.chosen == "Bonjour !"
    assert second.rejected in ("Hello.", "Salut.")  # Hola. has no instruction rating
    assert {reason: rows for reason, rows in imported.refused.items()} == {
        "all completions are rated alike": ("2",),
        "fewer than two completions have all four ratings": ("3", "4"),
    }
    notes = {note.split(":")[0]: rows for note, rows in imported.notes.items()}
    assert notes["overall_score 10 beside aspect ratings of 4 or less on average"] == ("0",)
    assert notes["a completion without all four ratings was left out"] == ("1",)
    [vote] = [vote for vote in imported.votes if vote.item_id == first.item_id]
    assert (vote.annotator, vote.critique) == ("gpt-4", "Right and short.")
    assert vote.ratings[vote.choice] == dict.fromkeys(vote.ratings["A"], 5)
    assert "rated" in imported.source.protocol


def test_binarised_ultrafeedback_leaves_ties_and_what_contradicts_itself(example, accounted):
    imported = accounted(import_binarised(example("ultrafeedback_binarized.jsonl"), Options()))
    assert imported.refused == {
        "a tie: both answers have the same score": ("1",),
        "rejected is empty": ("3",),
        "the rejected answer has the higher score": ("4",),
    }
    assert [pair.chosen for pair in make_pairs(imported.items, imported.votes).pairs] == ["The Nile.", "Hello."]
    assert [rows for note, rows in imported.notes.items() if "score of 10" in note] == [("2",)]


def test_the_arenas_votes_are_cleaned_as_the_arena_cleans_them(example, accounted):
    imported = accounted(import_arena(example("arena.jsonl"), Options()))
    assert imported.refused == {
        "an answer is unfit: names its maker": ("3",),
        "an answer is unfit: error message": ("4",),
        "an answer is unfit: unfinished": ("5",),
        "the models' names were shown (anony is false)": ("6",),
        "a vote on a later turn: the models' histories differ": ("7",),
        "winner is none of model_a, model_b, tie, tie (bothbad)": ("9",),
        "an answer is unfit: empty": ("10",),
        "tstamp is not a time": ("11",),
    }
    assert [vote.choice for vote in imported.votes] == ["A", "tie", "both_bad", "B"]
    assert {vote.left for vote in imported.votes} == {"A"}
    assert imported.votes[0].inserted_at.startswith("2023-04-24T")
    assert len(imported.items[-1].prompt) == 3  # the same history before both answers
    assert imported.items[0].tags == ("language:English",)
    assert "CC-BY-NC" in imported.source.licence


def test_mt_bench_votes_on_the_same_answers_are_one_items_votes(example, accounted):
    imported = accounted(import_mt_bench(example("mt_bench.jsonl"), Options()))
    [item] = imported.items
    assert (item.response_a, item.response_b) == ("Old pond.", "An old silent pond...")
    assert [(vote.annotator, vote.choice) for vote in imported.votes] == [
        ("mt-bench-author_2", "B"),
        ("mt-bench-expert_0", "tie"),
        ("mt-bench-expert_17", "A"),
    ]
    assert imported.refused == {
        "a vote on a later turn: the models' histories differ": ("1",),
        "the same annotator voted on this item before": ("4",),
    }


def test_an_unknown_kind_is_named_with_those_there_are():
    with pytest.raises(UserError, match=r"'pandas'; there are table, ultrafeedback, .* and argilla"):
        import_source("pandas", "x.json", Options(), progress=silent)
