import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from prefloop.train.shared_prompt import _cost, _rows, _Sequence, _sequences, attention_bias, chunks

lengths = st.lists(st.tuples(st.integers(1, 900), st.integers(0, 400)), min_size=1, max_size=12)


def sequences(given_lengths):
    return [_Sequence((number,), prompt, (answer,)) for number, (prompt, answer) in enumerate(given_lengths)]


@given(lengths)
def test_chunks_hold_every_sequence_once_and_none_is_alone(given_lengths):
    made = sequences(given_lengths)
    found = chunks(made)
    assert sorted(row for chunk in found for one in chunk for row in one.rows) == list(range(len(made)))
    assert all(len(chunk) > 1 for chunk in found) or len(made) == 1
    assert [one.length for chunk in found for one in chunk] == sorted(one.length for one in made)


@given(lengths)
def test_chunks_cost_no_more_than_all_in_one(given_lengths):
    made = sequences(given_lengths)
    whole = sorted(made, key=lambda one: one.length)
    assert sum(_cost(chunk) for chunk in chunks(made)) <= _cost(whole) + 1e-6


def test_unlike_lengths_are_kept_apart():
    made = sequences([(20, 10), (600, 10), (22, 10), (610, 10)])
    assert [[one.rows[0] for one in chunk] for chunk in chunks(made)] == [[0, 2], [1, 3]]


def test_an_answer_sees_its_prompt_and_itself_and_not_the_other_answer():
    bias = attention_bias(torch.tensor([[0, 0, 1, 1, 2, 3]]), torch.float32)[0, 0]
    sees = [[token for token in range(6) if bias[row, token] == 0] for row in range(6)]
    assert sees == [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 1, 4], [0, 1, 5]]


def batch(*rows):
    """Rows of (prompt, answer) as TRL's batch."""
    longest = max(len(prompt + answer) for prompt, answer in rows)
    ids, mask, labels = (torch.full((len(rows), longest), fill) for fill in (9, 0, -100))
    for number, (prompt, answer) in enumerate(rows):
        end = len(prompt + answer)
        ids[number, :end], mask[number, :end] = torch.tensor(prompt + answer), 1
        labels[number, len(prompt) : end] = torch.tensor(answer)
    return ids, mask, labels


def test_only_rows_that_begin_alike_share_and_only_where_it_is_cheaper():
    long = list(range(3000))
    found = _sequences(
        _rows(*batch(([1, 2], [3]), ([1, 2], [3]), ([5], long), ([1, 2], [4, 4]), ([1, 7], [4]), ([5], long[::-1])))
    )
    assert [one.rows for one in found] == [(0, 3), (1,), (4,), (2,), (5,)]
    assert (found[0].prompt, found[0].answers) == (2, (1, 2))


def test_labels_with_holes_are_refused():
    ids, mask, labels = batch(([1, 2], [3, 4]), ([1, 2], [3]))
    labels[0, 3] = -100
    with pytest.raises(ValueError, match="one token"):
        _rows(ids, mask, labels)
