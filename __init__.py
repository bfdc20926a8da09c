"""prefloop: collect preferences, train a small model on them, find out whether it got better, publish."""

import os

# prefloop sends nothing on its own, and neither do the libraries it drives; this is read when they are imported.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
