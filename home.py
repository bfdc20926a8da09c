"""Where prefloop keeps what outlives a run: converted models, the server's environment, the default Argilla."""

import os
from pathlib import Path


def home() -> Path:
    """Return `$PREFLOOP_HOME`, or `~/.prefloop`. It may not exist yet."""
    return Path(os.environ.get("PREFLOOP_HOME") or "~/.prefloop").expanduser()
