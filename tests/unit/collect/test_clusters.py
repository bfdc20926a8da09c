import gzip
import json
import os
import re
from pathlib import Path

import pytest
from prefloop.collect.item import Message
from prefloop.collect.sealing.clusters import clusters, prompt_texts

SYSTEM = Message("system", "You are the assistant of a small kitchenware shop and answer in two sentences.")


def user(*turns):
    return tuple(Message("assistant" if n % 2 else "user", text) for n, text in enumerate(turns))


@pytest.fixture(scope="module")
def conversations():
    """The distinct prompts of rows 0 to 1799 and of the 512 after them, by which of the two they come from."""
    if not (folder := os.environ.get("PREFLOOP_TEST_DATA")):
        pytest.skip("PREFLOOP_TEST_DATA is not set")

    def read(name):
        with gzip.open(Path(folder) / f"preferences/hh_rlhf_harmless_base_{name}.jsonl.gz", "rt") as file:
            texts = {json.loads(line)["chosen"].rpartition("\n\nAssistant:")[0] for line in file}
        return {text: user(*re.split(r"\n\n(?:Human|Assistant): ?", text)[1:]) for text in sorted(texts)}

    return read("train1800"), read("test512")


def test_a_prompt_is_compared_without_the_system_message_its_task_shares():
    assert prompt_texts((SYSTEM, *user("Where is my parcel?"))) == ("Where is my parcel?",)
    assert prompt_texts((SYSTEM,)) == (SYSTEM.content,)


def test_an_opening_has_at_least_five_words():
    question = "How do I season a carbon steel wok?"
    assert prompt_texts(user(question, "With oil.", "Which?")) == (f"{question}\nWith oil.\nWhich?", question)
    assert prompt_texts(user("Hi", "Hello!", question, "With oil.", "Which?"))[1] == f"Hi\n{question}"
    assert prompt_texts(user("Hi", "Hello!", "Bye")) == ("Hi\nHello!\nBye",)


def test_stages_of_one_conversation_and_near_duplicates_are_one_cluster():
    question = "How do I season a carbon steel wok?"
    prompts = {
        "d": user(question),
        "b": user(question, "With oil.", "Which oil is best for very high heat?"),
        "c": user(question.upper(), "Heat it.", "For how long, and at what temperature do I do that?"),
        "a": user("Where is my parcel?"),
        "e": user("Hi", "Hello, how can I help you today?", "Where do I find the invoice of last week?"),
        "f": user("Hi", "Hello, how can I help you today?", "Do you ship to Iceland and the Faroe Islands?"),
    }
    texts = {name: prompt_texts(prompt) for name, prompt in prompts.items()}
    assert clusters(texts) == [("a",), ("b", "c", "d"), ("e",), ("f",)]
    assert clusters(dict(reversed(texts.items()))) == clusters(texts)
    assert clusters({}) == []


def test_a_split_by_rows_leaves_a_tenth_of_real_conversations_on_both_sides(conversations):
    """What an exact comparison does not see: no prompt of one part stands in the other."""
    train, test = conversations
    assert train.keys() & test.keys() == set()
    found = clusters({text: prompt_texts(prompt) for text, prompt in {**train, **test}.items()})
    mixed = [members for members in found if set(members) & train.keys() and set(members) & test.keys()]
    assert len({text for members in mixed for text in members} & test.keys()) == 51
    assert max(map(len, found)) == 5
