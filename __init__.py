"""prefloop: collect preferences, train a small model on them, find out whether it got better, publish."""

__version__ = "0.1.0"
