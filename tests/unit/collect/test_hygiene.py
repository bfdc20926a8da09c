import pytest
from prefloop.collect.sampling.hygiene import MAKERS, flaw

PROMPT = "My kettle leaks. What should I do?"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        ("Unplug it and send us a photo of the base.", None),
        ("As ChatGPT, I can't see your kettle.", "names its maker"),
        ("I was made by OpenAI.", "names its maker"),
        ("The palms in your garden need no kettle.", None),
        ("NETWORK ERROR DUE TO HIGH TRAFFIC. Please try again.", "error message"),
        ("Sure.<|im_end|>", "left a template token"),
        ("we will look into it as soon as we can " * 4, "repeats itself"),
        ("no no no no no no no", None),
    ],
)
def test_what_annotators_must_not_see(answer, expected):
    assert flaw(answer, PROMPT) == expected


def test_a_name_that_the_prompt_mentions_betrays_nothing():
    answer = "Claude and Gemini are both language models."
    assert flaw(answer, "Compare Claude with Gemini.") is None
    assert flaw(answer, "Compare Claude with something.") == "names its maker"


def test_more_names_can_be_hidden():
    assert flaw("I am KitchenBot.", PROMPT) is None
    assert flaw("I am KitchenBot.", PROMPT, [*MAKERS, "kitchenbot"]) == "names its maker"
