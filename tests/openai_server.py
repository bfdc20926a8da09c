"""A chat endpoint in OpenAI's protocol over real HTTP: it answers as a test tells it and keeps what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""
Reply = Callable[[dict[str, Any]], str | Answer | None]
"""From a request's body to what the model says, or to a whole answer; None drops the connection."""


class Endpoint:
    """A running endpoint: its address, and of each request the body and the `Authorization` header, as they came."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []

    @property
    def questions(self) -> list[str]:
        """The last message of each request."""
        return [question(body) for body in self.asked]


def question(body: dict[str, Any]) -> str:
    """Return the last message of a request."""
    return str(body["messages"][-1]["content"])


def said(text: str | None, *, finish: str = "stop", tokens: int | None = 5) -> Answer:
    """Return what a model says, of ten tokens in and `tokens` out; with None for those, without a count of tokens."""
    usage = None if tokens is None else {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": 10 + tokens}
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}
    reply = {"id": "1", "object": "chat.completion", "created": 1, "model": "judge-v7", "usage": usage}
    return 200, {}, json.dumps(reply | {"choices": [choice]}).encode()


def refused(status: int, message: str, **headers: str) -> Answer:
    """Return an error; `Retry_After="1"` is the header `Retry-After`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, named, json.dumps({"error": {"message": message}}).encode()


@contextmanager
def answering(reply: Reply) -> Iterator[Endpoint]:
    """Run an endpoint that answers so; `reply` is called in a thread for each connection."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                endpoint.asked.append(body)
                endpoint.keys.append(self.headers["Authorization"])
            answer = reply(body)
            if answer is None:
                self.close_connection = True
                return
            status, headers, sent = said(answer) if isinstance(answer, str) else answer
            self.send_response(status)
            headers = {"Content-Type": "application/json", "Content-Length": str(len(sent))} | headers
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    endpoint = Endpoint(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
