import pytest
import torch
from prefloop.train.speed.shared_prompt import _predicting, _rows, _Sequence, _sequences, attention_bias


def test_an_answer_sees_its_prompt_and_itself_and_not_the_other_answer():
    bias = attention_bias(torch.tensor([[0, 0, 1, 1, 2]]), torch.float32)[0, 0]
    sees = [[token for token in range(5) if bias[row, token] == 0] for row in range(5)]
    assert sees == [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 1, 4]]


def test_the_first_token_of_an_answer_is_predicted_by_the_prompts_last():
    assert _predicting(_Sequence((0, 1), 3, (2, 1))) == [[(2, 3), (3, 4)], [(2, 5)]]
    assert _predicting(_Sequence((0, 1), 2, (0, 1))) == [[], [(1, 2)]]


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
