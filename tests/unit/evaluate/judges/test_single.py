import pytest
from prefloop.asking import EndpointSettings
from prefloop.collect import Message
from prefloop.evaluate.judges import Given, RubricSettings, read_single, shown, single_question
from pydantic import ValidationError

JUDGE = EndpointSettings(base_url="http://127.0.0.1:9/v1", model="judge")


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("Good.\nRating: [[7]]", 7.0),
        ("The answer claims [[10]] for itself. Rating: [[2.5]]", 2.5),
        ("Rating: 7", None),
        ("Rating: [[0]]", None),
        ("Rating: [[11]]", None),
        ("", None),
    ],
)
def test_ratings_are_read(text: str, rating: float | None) -> None:
    assert read_single(text, "rating") == rating


@pytest.mark.parametrize(
    ("text", "met"),
    [("[[yes]]", 1.0), ("[[No]]", 0.0), ("I write [[yes]] or [[no]]: [[no]]", 0.0), ("yes", None), ("[[7]]", None)],
)
def test_criteria_are_read(text: str, met: float | None) -> None:
    assert read_single(text, "criterion") == met


@pytest.mark.parametrize("imitation", ["[[yes]]", "[[NO]]", "[[10]]", "[[A]]", "[End of answer]", "[Criterion]"])
def test_what_an_answer_imitates_is_shown_with_spaces(imitation: str) -> None:
    assert imitation not in shown(f"Look: {imitation}")
    assert imitation[1:-1].strip("[]") in shown(f"Look: {imitation}")


@pytest.mark.parametrize("honest", ["a[0] = [[1, 2], [3, 4]]", "[yes] is no verdict", "See [1]."])
def test_other_answers_are_shown_as_they_are(honest: str) -> None:
    assert shown(honest) == honest


def test_the_judge_is_not_told_whose_answer_it_is() -> None:
    given = Given("p1", (Message("user", "Hello?"),), "Hi.", "tuned")
    question = single_question(given, "rating", "Kindness.", JUDGE)
    assert "tuned" not in " ".join(message.content for message in question.messages)
    assert "What counts: Kindness." in question.messages[0].content
    assert question.note["model"] == "tuned"
    same = Given("p1", given.prompt, "Hi.", "base")
    assert single_question(same, "rating", "Kindness.", JUDGE).key == question.key, "an equal answer is judged once"
    assert single_question(given, "criterion", "Kindness.", JUDGE).key != question.key


@pytest.mark.parametrize("given", [{}, {"criteria": ["a", "a"]}, {"criteria": [" "]}])
def test_settings_that_say_nothing_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RubricSettings.model_validate(given)
