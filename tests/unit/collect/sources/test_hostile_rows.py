"""Whatever a file holds, no importer crashes: each row is taken or refused with a reason, and the counts add up."""

import json
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefloop.collect import Item, Vote
from prefloop.collect.files import read_items, read_votes, write_rows
from prefloop.collect.sources import KINDS, Options

NASTY = st.sampled_from(
    ["", " ", "\0", "\ud800", "\u202e\u2028", "<script>alert(1)</script>", "{{ x }}", "x" * 300_000, "\n\nHuman:",
     "\n\nHuman: a\n\nAssistant: b", "\n\nAssistant:", "1", "A", "model_a", "_", "a_b", "NaN", "1e400", "user", "gpt"]
)  # fmt: skip
TEXTS = NASTY | st.text(max_size=20)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {}, optional={"role": TEXTS, "content": SCALARS | st.just([{"text": "x"}]), "from": TEXTS, "value": SCALARS}
    ),
    max_size=4,
)
RATED = st.fixed_dictionaries(
    {},
    optional={
        "response": SCALARS, "model": SCALARS, "critique": SCALARS, "overall_score": SCALARS,
        "annotations": st.dictionaries(
            st.sampled_from(["instruction_following", "honesty", "truthfulness", "helpfulness"]),
            st.fixed_dictionaries({"Rating": st.sampled_from(["1", "5", "N/A", 3, None])}) | SCALARS,
        ) | SCALARS,
    },
)  # fmt: skip
ANNOTATIONS = st.fixed_dictionaries(
    {},
    optional={
        "id": SCALARS, "completed_by": SCALARS | st.just({"id": 3}), "was_cancelled": SCALARS, "lead_time": SCALARS,
        "created_at": SCALARS,
        "result": SCALARS | st.lists(
            st.fixed_dictionaries({}, optional={
                "from_name": TEXTS, "type": st.sampled_from(["pairwise", "choices"]),
                "value": SCALARS | st.fixed_dictionaries({}, optional={"selected": TEXTS, "choices": MESSAGES}),
            }), max_size=3,
        ),
    },
)  # fmt: skip
FIELDS = (
    "prompt", "system", "chosen", "rejected", "response_a", "response_b", "label", "annotator", "strength", "critique",
    "edit", "seconds", "time", "first_shown", "model_a", "model_b", "item", "vote", "tags", "instruction", "input",
    "response1", "response2", "annotator1", "annotator2", "annotator3", "cmp_key", "output_1", "output_2",
    "completions", "score_chosen", "score_rejected", "winner", "judge", "conversation_a", "conversation_b", "turn",
    "anony",
    "question_id", "tstamp", "language", "data", "annotations", "source",
)  # fmt: skip
ANYTHING = SCALARS | MESSAGES | st.lists(RATED, max_size=4) | st.lists(ANNOTATIONS, max_size=3)
ROWS = st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=14) | SCALARS
FORMS = {
    "table": ("prompt", "response_a", "response_b", "label"),
    "ultrafeedback": ("instruction", "completions"),
    "ultrafeedback-binarized": ("chosen", "rejected", "score_chosen", "score_rejected"),
    "hh-rlhf": ("chosen", "rejected"),
    "pandalm": ("instruction", "input", "response1", "response2", "cmp_key", "annotator1", "annotator2", "annotator3"),
    "arena": ("question_id", "conversation_a", "conversation_b", "winner", "judge", "model_a", "model_b", "turn"),
    "mt-bench": ("question_id", "conversation_a", "conversation_b", "winner", "judge", "model_a", "model_b", "turn"),
    "llmbar": ("input", "output_1", "output_2", "label"),
    "label-studio": ("data", "annotations"),
}


def test_every_kind_is_tried():
    assert FORMS.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", FORMS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_row_crashes_and_all_are_counted(kind, data, tmp_path_factory):
    shaped = st.fixed_dictionaries(
        dict.fromkeys(FORMS[kind], ANYTHING), optional={field: SCALARS for field in FIELDS if field not in FORMS[kind]}
    )
    rows = data.draw(st.lists(ROWS | shaped, max_size=6))
    folder = tmp_path_factory.mktemp("hostile")
    lines = [json.dumps(row) for row in rows] + data.draw(
        st.lists(st.sampled_from(["{", "nul", "[" * 9000]), max_size=2)
    )
    (folder / "rows.jsonl").write_text("\n".join(lines))
    imported = KINDS[kind].read(str(folder / "rows.jsonl"), Options())
    assert imported.source.rows == len(lines) == imported.taken + sum(map(len, imported.refused.values()))
    assert all(reason.strip() for reason in imported.refused)
    ids = {item.id for item in imported.items}
    assert {vote.item_id for vote in imported.votes} <= ids
    # What was taken can be written and read back: no half characters, no wrong types.
    assert read_items(write_rows(folder / "items.jsonl", imported.items)) == list(imported.items)
    assert read_votes(write_rows(folder / "votes.jsonl", imported.votes)) == list(imported.votes)
    json.dumps(asdict(imported.source) | {"refused": imported.refused}, ensure_ascii=False).encode()


def test_good_rows_survive_beside_bad_ones(tmp_path):
    good = {"prompt": "p", "response_a": "a", "response_b": "b", "label": "A"}
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(["[]", json.dumps(good), "{", '{"prompt": "\\ud800"}', "7"]))
    imported = KINDS["table"].read(str(path), Options())
    assert isinstance(imported.items[0], Item)
    assert isinstance(imported.votes[0], Vote)
    assert imported.refused == {
        "the row is not an object with named fields": ("0", "4"),
        "the line is not JSON": ("2",),
        "the row has neither chosen and rejected nor response_a and response_b": ("3",),
    }
