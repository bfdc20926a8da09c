"""Many questions to one endpoint at once, within its limits and the budget, every reply kept as it comes."""

import asyncio
import os
import queue
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..runs import Progress, append_line, silent
from .cost import Purse, most_of, price_of, spent_in, tokens_expected
from .question import NO_ROOM, Question, Reply, make_row, split
from .settings import EndpointSettings

if TYPE_CHECKING:
    from openai import AsyncOpenAI

RETRIES = 5
"""How often the client sends a request again after 408, 409, 429, 5xx, a lost connection or a timeout; it waits as long
as the endpoint's Retry-After says, up to two minutes, and otherwise half a second, then twice as long each time."""


def ask(
    questions: Sequence[Question], settings: EndpointSettings, store: Path, progress: Progress = silent
) -> dict[str, Reply]:
    """Ask every question that has no reply in the store yet.

    The client runs in a thread of its own, so that this may be called under a running event loop. What is under way
    when something fails is waited for and kept.

    Args:
        questions: Made with `make_question` for these settings; equal ones are asked once.
        settings: Where to, how many at once, and what it may cost.
        store: JSON lines; every reply is appended as it comes, and a run that was killed goes on from there.
        progress: Called with replies had and questions in all, in the caller's thread.

    Returns:
        All replies by key.

    Raises:
        UserError: the key is missing or refused, the endpoint can't be reached, refuses, or sends something else than
            a reply, or the budget doesn't allow the next question. What came is in the store.
    """
    replies, owed = split(questions, store)
    total = len(replies) + len(owed)
    progress(len(replies), total)
    if not owed:
        return replies
    key = _api_key(settings)
    desk = _Desk(settings, key, iter(owed), spent_in(store))
    with closing(_answered(desk)) as answered:
        for question, reply, revision in answered:
            append_line(store, make_row(question, reply, model=settings.model, revision=revision))
            replies[reply.key] = reply
            progress(len(replies), total)
    if desk.failure is not None:
        raise _with_count(desk.failure, len(replies), total) from desk.failure.__cause__
    return replies


Answered = tuple[Question, Reply, str | None]
"""With what the endpoint says of its model's revision."""


@dataclass(slots=True)
class _Desk:
    """What everybody shares who asks."""

    settings: EndpointSettings
    key: str = field(repr=False)
    owed: Iterator[Question]
    spent: float
    failure: UserError | None = None
    out: "queue.SimpleQueue[Answered | None]" = field(default_factory=queue.SimpleQueue)


class _Pace:
    """So much a minute, evenly: the next may start when all before it have had their time."""

    def __init__(self, per_minute: float | None) -> None:
        self.seconds = 60 / per_minute if per_minute else 0.0
        self.free = 0.0

    async def take(self, amount: float) -> None:
        start = max(time.monotonic(), self.free)
        self.free = start + amount * self.seconds
        await asyncio.sleep(start - time.monotonic())


def _answered(desk: _Desk) -> Generator[Answered, None, None]:
    """Yield replies in the caller's thread while the client works in another."""
    with ThreadPoolExecutor(1) as thread:
        loop = asyncio.new_event_loop()
        task = loop.create_task(_ask_all(desk))
        running = thread.submit(_run, loop, task, desk)
        try:
            while (each := desk.out.get()) is not None:
                yield each
        except BaseException:
            loop.call_soon_threadsafe(task.cancel)
            raise
        finally:
            _wait(running)


def _run(loop: asyncio.AbstractEventLoop, task: "asyncio.Task[None]", desk: _Desk) -> None:
    try:
        loop.run_until_complete(task)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        desk.out.put(None)


def _wait(running: "Future[None]") -> None:
    error = running.exception()
    if error is not None and not isinstance(error, asyncio.CancelledError):
        raise error


async def _ask_all(desk: _Desk) -> None:
    from openai import AsyncOpenAI

    settings = desk.settings
    purse = Purse(settings.budget, desk.spent)
    requests, tokens = _Pace(settings.requests_per_minute), _Pace(settings.tokens_per_minute)
    client = AsyncOpenAI(base_url=settings.base_url, api_key=desk.key, max_retries=RETRIES, timeout=settings.timeout)

    async def work() -> None:
        for question in desk.owed:
            await requests.take(1)
            await tokens.take(tokens_expected(question))
            if desk.failure is not None or not await _ask_within(purse, client, desk, question):
                return

    async with client, asyncio.TaskGroup() as group:
        for _ in range(settings.in_flight):
            group.create_task(work())


async def _ask_within(purse: Purse, client: "AsyncOpenAI", desk: _Desk, question: Question) -> bool:
    """Ask if the budget allows it, and hand out the reply; False when no more shall be asked."""
    most = most_of(question, desk.settings) or 0.0
    if not await purse.reserve(most):
        desk.failure = desk.failure or _over_budget(desk.settings, purse.spent, most)
    if desk.failure is not None:  # possibly another's, while this one waited for room in the budget
        return False
    price = 0.0
    try:
        reply, revision = await _ask_one(client, desk, question)
        price = reply.price or 0.0
        desk.out.put((question, reply, revision))
    except UserError as error:
        desk.failure = desk.failure or error
    finally:
        await purse.settle(most, price)
    return desk.failure is None


async def _ask_one(client: "AsyncOpenAI", desk: _Desk, question: Question) -> tuple[Reply, str | None]:
    from openai import APIConnectionError, APIError, APIStatusError

    start, where = time.monotonic(), f"{desk.settings.model!r} at {desk.settings.base_url}"
    body: dict[str, Any] = {
        "model": desk.settings.model,
        "messages": [{"role": message.role, "content": message.content} for message in question.messages],
        "temperature": question.temperature,
        "max_tokens": question.max_tokens,
        "top_p": question.top_p,
        "seed": question.seed,
    }
    try:
        # As `chat.completions.create` does, without its checks of the request's and the reply's every field: they cost
        # more of the processor's time than all else.
        sent = await client.post(
            "/chat/completions",
            body={name: value for name, value in body.items() if value is not None},
            cast_to=object,
        )
    except APIConnectionError as error:
        raise UserError(f"{where} can't be reached ({type(error).__name__}): start it or mend the URL") from error
    except APIStatusError as error:
        if _too_long(error.status_code, error.message):
            free = price_of(desk.settings, 0, 0)
            return Reply(question.key, "", NO_ROOM, 0, 0, free, round(time.monotonic() - start, 3)), None
        raise UserError(_refusal(where, error.status_code, error.message, desk)) from None
    except (APIError, ValueError) as error:
        raise UserError(f"{where} sent something that is no reply ({type(error).__name__})") from error
    return _read(sent, question, desk.settings, where, time.monotonic() - start)


def _read(
    sent: Any, question: Question, settings: EndpointSettings, where: str, seconds: float
) -> tuple[Reply, str | None]:
    try:
        choice, usage = sent["choices"][0], sent.get("usage") or {}
        text, finish = choice["message"]["content"] or "", choice.get("finish_reason") or "stop"
        asked, answered = usage.get("prompt_tokens"), usage.get("completion_tokens")
        revision = sent.get("system_fingerprint") or sent.get("model")
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise UserError(f"{where} sent something that is no reply ({type(error).__name__})") from error
    counted = None if asked is None or answered is None else price_of(settings, asked, answered)
    price = most_of(question, settings) if counted is None else counted
    return Reply(question.key, text, finish, asked, answered, price, round(seconds, 3)), revision


def _too_long(status: int, message: str) -> bool:
    return status == 400 and ("context length" in message.lower() or "context_length" in message)


def _refusal(where: str, status: int, message: str, desk: _Desk) -> str:
    if status in (401, 403):
        # What the endpoint says may hold the key.
        variable = desk.settings.api_key_env
        cure = f"check the environment variable {variable}" if variable else "name the key's variable in api_key_env"
        return f"{where} refused the key (HTTP {status}): {cure}"
    said = message.replace(desk.key, "[key]") if desk.settings.api_key_env else message
    return f"{where} refused (HTTP {status}): {said[:300]}"


def _over_budget(settings: EndpointSettings, spent: float, most: float) -> UserError:
    return UserError(
        f"the budget of {settings.budget:g} is used up: {spent:.4g} are spent, and the next question can cost up to "
        f"{most:.4g}; raise budget to go on"
    )


def _with_count(failure: UserError, had: int, total: int) -> UserError:
    return UserError(f"{failure}; {had} of {total} replies are kept, run again to go on from there")


def _api_key(settings: EndpointSettings) -> str:
    if settings.api_key_env is None:
        return "none"  # local servers want no key, the client insists on one
    key = os.environ.get(settings.api_key_env)
    if not key:
        raise UserError(
            f"{settings.model!r} at {settings.base_url} needs a key: set the environment variable "
            f"{settings.api_key_env} and run again"
        )
    return key
