"""Where template, tokenizer, model and generation disagree."""

import copy
import json

import pytest
from prefloop.train import TrainSettings
from prefloop.train.checks.drift import check_tokenizer


@pytest.fixture
def base(tokenizer, tmp_path):
    """A model folder with everything but weights."""
    tokenizer.save_pretrained(tmp_path)
    write(tmp_path, "config.json", vocab_size=len(tokenizer), max_position_embeddings=64)
    write(tmp_path, "generation_config.json", eos_token_id=tokenizer.eos_token_id)
    return tmp_path


def write(folder, name, **values):
    (folder / name).write_text(json.dumps(values))


def changed(tokenizer, template):
    other = copy.deepcopy(tokenizer)
    other.chat_template = template
    return other


def test_what_belongs_together_has_no_findings(tokenizer, base):
    found = check_tokenizer(tokenizer, base, TrainSettings(), longest=64)
    assert (found.problems, found.warnings) == ([], [])


def test_tokens_and_positions_beyond_the_model_stop_the_run(tokenizer, base):
    write(base, "config.json", vocab_size=len(tokenizer) - 1, max_position_embeddings=63)
    found = check_tokenizer(tokenizer, base, TrainSettings(), longest=64)
    assert len(found.problems) == 2
    assert f"has {len(tokenizer)} tokens, but the model's embeddings only {len(tokenizer) - 1}" in found.problems[0]
    assert "64 tokens, but the model was made for 63" in found.problems[1]


def test_another_template_than_the_base_was_tuned_with_is_told(tokenizer, base):
    other = changed(tokenizer, tokenizer.chat_template.replace("<{{ m.role }}>", "[{{ m.role }}]"))
    (warning,) = check_tokenizer(other, base, TrainSettings(), longest=8).warnings
    assert "is not the base's own" in warning
    # The same text by other means is no other template.
    same = changed(tokenizer, tokenizer.chat_template + "{# a remark #}")
    assert check_tokenizer(same, base, TrainSettings(), longest=8).warnings == []


def test_another_template_than_that_of_the_adapter_continued_is_told(tokenizer, base, tmp_path_factory):
    adapter = tmp_path_factory.mktemp("adapter")
    changed(tokenizer, tokenizer.chat_template.replace("<{{ m.role }}>", "[{{ m.role }}]")).save_pretrained(adapter)
    found = check_tokenizer(tokenizer, base, TrainSettings(base_adapter=adapter), longest=8)
    (warning,) = found.warnings
    assert f"base_adapter {adapter} was trained with another chat template" in warning


def test_markers_that_the_tokenizer_does_not_know_are_told(tokenizer, base):
    chatml = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>{{ eos_token }}\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    found = check_tokenizer(changed(tokenizer, chatml), base, TrainSettings(), longest=8)
    assert [warning.split(",")[0] for warning in found.warnings if "splits" in warning] == [
        "the chat template writes <|im_end|>",
        "the chat template writes <|im_start|>",
    ]


def test_three_ends_that_do_not_agree_are_told(tokenizer, base):
    endless = changed(tokenizer, tokenizer.chat_template.replace("{{ eos_token }}", ""))
    assert any("no special token" in w for w in check_tokenizer(endless, base, TrainSettings(), longest=8).warnings)
    by_role = changed(tokenizer, tokenizer.chat_template.replace("{{ eos_token }}", "<user>"))
    warnings = check_tokenizer(by_role, base, TrainSettings(), longest=8).warnings
    user = tokenizer.convert_tokens_to_ids("<user>")
    assert any(f"ends a response with <user> ({user}), but the tokenizer's end-of-text" in w for w in warnings)
    assert any("generation stops at </s> (1) only" in w for w in warnings)
    write(base, "generation_config.json", eos_token_id=[tokenizer.eos_token_id, user])
    again = check_tokenizer(by_role, base, TrainSettings(), longest=8).warnings
    assert not any("generation stops" in w for w in again)
