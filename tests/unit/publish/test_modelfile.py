"""Ollama's template is measured from the chat template, or left out."""

import pytest
from prefloop.collect import Message
from prefloop.publish.engines.modelfile import modelfile, stop_texts, take_apart

PROMPTS = [(Message("user", "Is it open?"),), (Message("system", "Be short."), Message("user", "When?"))]
ENDED = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}<assistant>"
DEFAULT = "{% if messages[0].role != 'system' %}<system>You are kind.</s>{% endif %}"
LEADING = "{{ bos_token }}" + DEFAULT + ENDED + "{% endif %}"
INTO_USER = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{% set s = messages[0].content + ' ' %}"
    "{% set turns = messages[1:] %}{% else %}{% set s = '' %}{% set turns = messages %}{% endif %}"
    "{% for m in turns %}{% if m.role == 'user' %}[INST] {% if loop.last %}{{ s }}{% endif %}{{ m.content }}[/INST]"
    "{% else %}{{ m.content }}</s>{% endif %}{% endfor %}"
)
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}" + ENDED + "{% endif %}"
TRIMMED = ENDED.replace("m.content }}", "m.content | trim }}") + "{% endif %}"


@pytest.fixture
def tokenizer():
    """One token a byte, role tags one token each."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    specials = ["<s>", "</s>", "<assistant>", "<user>", "<system>"]
    bytes_only = Tokenizer(models.BPE({token: i for i, token in enumerate(specials + letters)}, []))
    bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bytes_only.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=bytes_only, bos_token="<s>", eos_token="</s>")
    fast.add_special_tokens({"additional_special_tokens": specials[2:]})
    return fast


def test_a_template_falls_into_pieces_and_comes_together_again(tokenizer):
    tokenizer.chat_template = LEADING
    pieces = take_apart(tokenizer, PROMPTS, adds_bos=False)
    assert pieces.template() == (
        "{{ if .System }}<s><system>{{ .System }}</s>{{ else }}<s><system>You are kind.</s>{{ end }}"
        '{{ range .Messages }}{{ if eq .Role "user" }}<user>{{ .Content }}</s>'
        '{{ else if eq .Role "assistant" }}<assistant>{{ .Content }}</s>{{ end }}{{ end }}<assistant>'
    )
    turns = [("user", "Is it open?"), ("assistant", "Yes."), ("user", "Now?")]
    rows = [{"role": role, "content": words} for role, words in turns]
    assert pieces.render(turns) == tokenizer.apply_chat_template(rows, tokenize=False, add_generation_prompt=True)


def test_what_the_reader_puts_first_is_not_written_twice(tokenizer):
    tokenizer.chat_template = LEADING
    template = take_apart(tokenizer, PROMPTS, adds_bos=True).template()
    assert "<s>" not in template
    assert template.startswith("{{ if .System }}<system>")


@pytest.mark.parametrize("template", [INTO_USER, NO_SYSTEM, ENDED + "{{ '{{' }}{% endif %}"])
def test_a_template_of_another_kind_gets_no_translation(tokenizer, template):
    tokenizer.chat_template = template
    assert take_apart(tokenizer, PROMPTS, adds_bos=False) is None
    text = modelfile("m.gguf", None, ["</s>"])
    assert "\nTEMPLATE" not in text
    assert "could not be put into Ollama's language" in text


def test_real_prompts_decide(tokenizer):
    tokenizer.chat_template = TRIMMED
    assert take_apart(tokenizer, PROMPTS, adds_bos=False) is not None
    assert take_apart(tokenizer, [(Message("user", "Is it open? \n"),)], adds_bos=False) is None


def test_all_ends_of_an_answer_are_stops_once(tokenizer):
    assert stop_texts(tokenizer, [tokenizer.eos_token_id, 2]) == ["</s>", "<assistant>"]
    assert 'PARAMETER stop "</s>"\nPARAMETER stop "<assistant>"' in modelfile("m", None, ["</s>", "<assistant>"])
