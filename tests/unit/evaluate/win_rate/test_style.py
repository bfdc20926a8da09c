import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefloop.evaluate.win_rate import Style, style_difference, style_features

ANSWER = """\
# Plan

Use **two** __steps__:

1. read
2. write
   - nested
* star

```python
# not a header
- not a list
**not bold**
```
#no space
"""


def test_markdown_is_counted_outside_code() -> None:
    found = style_features(ANSWER)
    assert (found.headers, found.lists, found.bold) == (1, 4, 2)


def test_length_takes_code_and_your_tokenizer() -> None:
    assert style_features("Hello, world!").tokens == 4
    assert style_features("a ```b c```").tokens == 9  # six backticks
    assert style_features("Hello, world!", tokens=17).tokens == 17


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("", (0, 0, 0)),
        ("###### six\n####### seven", (1, 0, 0)),
        ("text # no\n ## indented", (0, 0, 0)),
        ("1) no\n10. yes\n+ yes\n-no", (0, 2, 0)),
        ("**a** **b\nc** __d__", (0, 0, 2)),
        ("```x``` # after a block\n# header", (1, 0, 0)),
        ("```open block\n# counted, as nobody closed it", (1, 0, 0)),
        ("- in ```code```\n```\n- in ```\n- in", (0, 2, 0)),
    ],
)
def test_counts_by_hand(text: str, counts: tuple[int, int, int]) -> None:
    found = style_features(text)
    assert (found.headers, found.lists, found.bold) == counts


def test_a_difference_by_hand() -> None:
    # length (30 - 10) / 40; headers 3/31 and 0: x / (x + 1); lists equal a token: 0; bold 0 and 1/11
    model, other = Style(30, 3, 0, 0), Style(10, 0, 0, 1)
    found = style_difference(model, other)
    assert found == pytest.approx((0.5, (3 / 31) / (3 / 31 + 1), 0.0, -(1 / 11) / (1 / 11 + 1)))


STYLES = st.builds(Style, *[st.integers(0, 500)] * 4)


@given(STYLES, STYLES)
def test_a_difference_turns_with_the_sides(model: Style, other: Style) -> None:
    found = style_difference(model, other)
    assert style_difference(other, model) == pytest.approx(tuple(-value for value in found))
    assert all(-1 <= value <= 1 for value in found)
    assert style_difference(model, model) == (0, 0, 0, 0)
