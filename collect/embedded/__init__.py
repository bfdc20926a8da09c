"""The embedded Argilla: the real server and its web UI, started from Python, on SQLite, with nothing else to install.

Also for those who only want Argilla without Elasticsearch and Redis: `start_server(folder)` is all there is to it.
"""

from .backup import back_up, restore
from .server import Server, ServerStatus, running_server, server_logs, server_status, start_server, stop_server

__all__ = [
    "Server",
    "ServerStatus",
    "back_up",
    "restore",
    "running_server",
    "server_logs",
    "server_status",
    "start_server",
    "stop_server",
]
