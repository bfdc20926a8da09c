"""A model folder that costs nothing: a random two-layer Llama with a chat template and a tokenizer of single signs."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import torch
from peft import LoraConfig, get_peft_model
from prefloop.models import load_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SPECIAL = ("<|end|>", "<|user|>", "<|assistant|>", "<|system|>")
TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def make_tiny_model(
    folder: Path,
    tokens: Literal["letters", "bytes"] = "letters",
    *,
    context: int = 512,
    template: str | None = TEMPLATE,
    initializer_range: float = 0.2,
) -> Path:
    """Write one and return its folder: a token is a printable ASCII letter, or a byte."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=letters() if tokens == "letters" else every_byte(), eos_token=SPECIAL[0], pad_token=SPECIAL[0]
    )
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL[1:])})
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=context, eos_token_id=0, pad_token_id=0, bos_token_id=None,
        initializer_range=initializer_range,
    )  # fmt: skip
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    return folder


def letters() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(numbered(map(chr, range(32, 127))), []))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Split("", "isolated"), decoders.Fuse()
    return tokenizer


def every_byte() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(numbered(sorted(pre_tokenizers.ByteLevel.alphabet())), []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


def numbered(signs: Iterable[str]) -> dict[str, int]:
    return {token: number for number, token in enumerate([*SPECIAL, *signs])}


def make_tiny_adapter(base: Path, folder: Path, *, seed: int = 1, spread: float = 1.0) -> Path:
    """Write a LoRA adapter that changes what the model says: its second matrices are `spread` wide, not zero."""
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    model = load_model(base)
    torch.manual_seed(seed)
    adapted = get_peft_model(model, config)
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=spread)
    adapted.save_pretrained(folder)
    return folder
