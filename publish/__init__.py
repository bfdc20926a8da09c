"""An adapter and its report in, a release out: exactly the folder that would be pushed to the Hub."""

from .card.write import render_card
from .evidence import DataRelease, Evidence
from .redact import shorten_report
from .release import Release, read_release, write_release
from .settings import PublishSettings

__all__ = [
    "DataRelease",
    "Evidence",
    "PublishSettings",
    "Release",
    "read_release",
    "render_card",
    "shorten_report",
    "write_release",
]
