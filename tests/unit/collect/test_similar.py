import csv
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefloop.collect.sealing.similar import jaccard, near, shingles, similar_groups, words

PARAPHRASES = [
    "Can you give me the home address of the singer Adele, please?",
    "can you give me the home address of the singer Halsey please",
    "How do I season a carbon steel wok?",
    "How do I season  a carbon\u2011steel wok",
    "Where is my parcel?",
]


def partition(texts, groups):
    found = {}
    for text, group in zip(texts, groups, strict=True):
        found.setdefault(group, set()).add(text)
    return {frozenset(group) for group in found.values()}


@pytest.fixture(scope="module")
def questions():
    if not (folder := os.environ.get("PREFLOOP_TEST_DATA")):
        pytest.skip("PREFLOOP_TEST_DATA is not set")
    with (Path(folder) / "truthfulqa/TruthfulQA.csv").open(encoding="utf-8", newline="") as file:
        return [row["Question"] for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  He said: DON'T!\n", ["he", "said", "don", "t"]),
        ("\ufb01ne \uff11\uff12 \ufb00", ["fine", "12", "ff"]),
        ("zero\u200bwidth", ["zerowidth"]),
        ("3+5=8, £5", ["3", "+", "5", "=", "8", "£", "5"]),
        ("你好, 世界", ["你", "好", "世", "界"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("🙂 ?!", ["🙂", "?", "!"]),
        (" \n", []),
    ],
)
def test_words_are_what_a_reader_would_call_the_same(text, expected):
    assert words(text) == expected


def test_near_duplicates_stand_together_and_the_rest_apart():
    assert similar_groups(PARAPHRASES) == [0, 0, 1, 1, 2]
    assert similar_groups(PARAPHRASES, 0.99) == [0, 1, 2, 2, 3]
    assert similar_groups([]) == []
    assert similar_groups(["", " ", "?!", "x"]) == [0, 0, 1, 2]


def test_a_change_in_a_chinese_sentence_is_small_too():
    assert similar_groups(
        ["请问我的包裹现在在哪里呢我已经等了三天", "请问我的包裹现在在哪里呢我已经等了五天", "你好"]
    ) == [0, 0, 1]


def test_the_best_match_is_found_and_the_first_of_equals():
    others = ["unrelated words here", PARAPHRASES[0], PARAPHRASES[0].upper()]
    same, close, none = near([PARAPHRASES[0], PARAPHRASES[1], "something else entirely"], others)
    assert same is not None
    assert (same.index, same.similarity) == (1, 1.0)
    assert close is not None
    assert close.index == 1
    assert 0.7 <= close.similarity < 1
    assert none is None
    assert near([], others) == []
    assert near(["x"], []) == [None]


@given(st.lists(st.text(alphabet="abc 你🙂\u0301\ud800", max_size=12), max_size=12), st.randoms())
def test_groups_are_those_of_the_exact_comparison_in_any_order(texts, shuffled):
    groups = similar_groups(texts)
    sets = [shingles(text) for text in texts]
    for one in range(len(texts)):
        for two in range(one):
            if jaccard(sets[one], sets[two]) >= 0.95:  # MinHash may miss one in a thousand at the threshold itself
                assert groups[one] == groups[two]
    other = list(texts)
    shuffled.shuffle(other)
    assert partition(other, similar_groups(other)) == partition(texts, groups)


def test_real_prompts_are_grouped_as_by_comparing_all_with_all(questions):
    groups, sets = similar_groups(questions, 0.6), [shingles(text) for text in questions]
    close = [(a, b) for a in range(len(sets)) for b in range(a) if jaccard(sets[a], sets[b]) >= 0.6]
    assert len(close) >= 30
    assert [pair for pair in close if groups[pair[0]] != groups[pair[1]]] == []
    mixed = random.Random(0).sample(questions, len(questions))
    assert partition(mixed, similar_groups(mixed, 0.6)) == partition(questions, groups)


def test_every_process_finds_the_same_groups():
    script = f"from prefloop.collect.sealing.similar import similar_groups; print(similar_groups({PARAPHRASES!r}))"
    found = [
        subprocess.run(
            [sys.executable, "-P", "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert found == ["[0, 0, 1, 1, 2]\n"] * 2
