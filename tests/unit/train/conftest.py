import itertools

import pytest
from prefloop.collect import Message, PreferencePair

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}"
    "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


@pytest.fixture(scope="session")
def tokenizer():
    """One token a byte, so that lengths can be counted by hand; role tags are one token too."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    specials = ["<s>", "</s>", "<assistant>", "<user>"]
    bytes_only = Tokenizer(models.BPE({token: i for i, token in enumerate(specials + letters)}, []))
    bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bytes_only.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=bytes_only, bos_token="<s>", eos_token="</s>", pad_token="</s>")
    fast.add_special_tokens({"additional_special_tokens": ["<assistant>", "<user>"]})
    fast.chat_template = TEMPLATE
    return fast


@pytest.fixture
def make_pair():
    """A pair of its own, unless told otherwise."""
    numbers = itertools.count()

    def make(prompt=None, chosen="good answer", rejected="bad one", **rest):
        number = next(numbers)
        prompt = f"Question {number}?" if prompt is None else prompt
        details = {"weight": 1.0, "item_id": f"i{number}", "vote_ids": (f"v{number}",)} | rest
        return PreferencePair((Message("user", prompt),), chosen, rejected, **details)

    return make
