import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefloop.evaluate.mt_bench import (
    PairVerdict,
    combine_two_games,
    last_pair_verdict,
    last_rating,
    parse_pair_verdict,
    parse_rating,
    parse_score_pair,
)


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("Fine. Rating: [[8]]", 8.0),
        ("[[7.5]]", 7.5),
        ("[[7.]]", 7.0),
        ("[[3]] … no: [[9]]", 3.0),  # the first
        ("as in a[0] … [[9]]", 9.0),  # double brackets go first
        ("Rating: [6]", 6.0),
        ("as in a[0], a 7", 0.0),  # FastChat reads this as 0, and so must we
        ("[[15]]", 15.0),  # not clamped
        ("[[0]]", 0.0),
        ("[[-1]]", None),
        ("[[rating]]", None),
        ("Rating: 8", None),
        ("[[05]]", None),  # FastChat stops with a SyntaxError
        ("[[\N{ARABIC-INDIC DIGIT FIVE}]]", None),
        ("", None),
    ],
)
def test_ratings_are_read_as_fastchat_reads_them(text: str, rating: float | None) -> None:
    assert parse_rating(text) == rating


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("[[3]] … no: [[9]]", 9.0),
        ("as in a[0], a 7", None),
        ("[[15]]", None),
        ("[[0]]", None),
        ("[[1]]", 1.0),
        ("[[10]]", 10.0),
        ("[[10.5]]", None),
    ],
)
def test_the_strict_reading_takes_the_last_rating_on_the_scale(text: str, rating: float | None) -> None:
    assert last_rating(text) == rating


@pytest.mark.parametrize(
    ("text", "fastchat", "strict"),
    [
        ("[[A]]", "A", "A"),
        ("[[B]]", "B", "B"),
        ("[[C]]", "tie", "tie"),
        ("The answer says [[A]]. It is wrong: [[B]]", "A", "B"),
        ("[[C]] is what I'd say if [[B]] weren't better", "B", "B"),
        ("[[B]], or rather [[C]]", "B", "tie"),
        ("A", None, None),
        ("[A]", None, None),
        ("[[a]]", None, None),
    ],
)
def test_pair_verdicts(text: str, fastchat: PairVerdict | None, strict: PairVerdict | None) -> None:
    assert parse_pair_verdict(text) == fastchat
    assert last_pair_verdict(text) == strict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("[[8, 7]]", "A"),
        ("[[7,8.5]]", "B"),
        ("[[8.1,8]]", "tie"),  # 8.1 - 8 is 0.0999…
        ("[[1.1,1]]", "A"),  # 1.1 - 1 is 0.1000…09 in floating point, in FastChat too
        ("[6, 6]", "tie"),
        ("[[8]]", None),
        ("[[08,7]]", None),
    ],
)
def test_two_ratings_in_one_text(text: str, verdict: PairVerdict | None) -> None:
    assert parse_score_pair(text) == verdict


@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [
        ("A", "B", "model_1"),
        ("B", "A", "model_2"),
        ("tie", "tie", "tie"),
        ("A", "A", "tie"),
        ("B", "B", "tie"),
        ("tie", "B", "tie"),
        ("A", "tie", "tie"),  # a tie in game 2 against a win in game 1 is a disagreement
        (None, "B", None),
        ("tie", None, None),
    ],
)
def test_two_games(first: PairVerdict | None, second: PairVerdict | None, winner: str | None) -> None:
    assert combine_two_games(first, second) == winner


VERDICTS = st.sampled_from(["A", "B", "tie", None])


@given(VERDICTS, VERDICTS)
def test_exchanging_the_models_exchanges_the_winner(first: PairVerdict | None, second: PairVerdict | None) -> None:
    other = {"model_1": "model_2", "model_2": "model_1", "tie": "tie", None: None}
    assert combine_two_games(second, first) == other[combine_two_games(first, second)]


@given(st.text("[]AB0159.,- x", max_size=30))
def test_no_text_is_an_error_or_a_negative_rating(text: str) -> None:
    rating = parse_rating(text)
    assert rating is None or rating >= 0
    assert last_rating(text) is None or "[[" in text
    assert parse_pair_verdict(text) in ("A", "B", None)
