"""What must not be shown to annotators: empty, broken, cut-off and self-betraying answers.

The rules follow the cleaning of Chatbot Arena's votes (Chiang et al. 2024, arXiv 2403.04132): an answer that names its
maker is no longer anonymous, and one that is an error message says nothing about the model.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

Flaw = Literal["empty", "error message", "names its maker", "repeats itself", "left a template token"]

MAKERS = (
    "alibaba", "anthropic", "bard", "chatglm", "chatgpt", "claude", "cohere", "deepmind", "deepseek", "dolly", "falcon",
    "fastchat", "gemini", "gemma", "google ai", "gpt-2", "gpt-3", "gpt-4", "gpt-4o", "gpt-5", "grok", "hugging face",
    "huggingface", "koala", "lamda", "llama", "lmsys", "meta ai", "mistral", "mixtral", "moonshot", "nemotron", "olmo",
    "openai", "oasst", "open assistant", "openassistant", "palm 2", "phi-2", "phi-3", "phi-4", "qwen", "smollm",
    "stability ai", "stablelm", "tulu", "vicuna", "wizardlm", "xai", "zephyr", "zhipu",
)  # fmt: skip
"""Models and their makers. A name that the prompt itself mentions betrays nothing."""

ERRORS = (
    "$moderation$",
    "network error due to high traffic",
    "api request error",
    "(error code:",
    "rate limit reached",
    "internal server error",
    "traceback (most recent call last)",
)
"""What endpoints answer in a model's place."""

TEMPLATE_TOKEN = re.compile(r"<\|(?:im_start|im_end|endoftext|eot_id|start_header_id|end_header_id|assistant|user)\|>")
LOOP_WORDS, LOOP_TIMES = 8, 4
"""So many words in a row, so many times in one answer: a model that got stuck."""


def flaw(answer: str, prompt: str, makers: Sequence[str] = MAKERS) -> Flaw | None:
    """Return why this answer must not be shown, None for one that may.

    Args:
        answer: The candidate response.
        prompt: The whole conversation before it.
        makers: Names, in lower case, that would tell who wrote it.
    """
    text = answer.strip().lower()
    if not text:
        return "empty"
    if any(error in text for error in ERRORS):
        return "error message"
    if TEMPLATE_TOKEN.search(text):
        return "left a template token"
    if any(_names(maker, text) and not _names(maker, prompt.lower()) for maker in makers):
        return "names its maker"
    return "repeats itself" if _loops(text) else None


def _names(maker: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(maker)}(?!\w)", text) is not None


def _loops(text: str) -> bool:
    words = text.split()
    runs = Counter(tuple(words[start : start + LOOP_WORDS]) for start in range(len(words) - LOOP_WORDS + 1))
    return max(runs.values(), default=0) >= LOOP_TIMES
