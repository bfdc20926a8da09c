"""Training recipes of other tools made into prefloop's, with word of every key: kept, renamed, dropped and why."""

from .notes import Fate, Note, Translation, in_words
from .translating import translate, translate_file, write_recipe

__all__ = ["Fate", "Note", "Translation", "in_words", "translate", "translate_file", "write_recipe"]
