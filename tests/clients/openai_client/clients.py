"""The official client, in its two kinds: one that blocks and one that awaits.

What is asked is written once for both, as an asynchronous generator of what the client gives.
"""

import asyncio
import inspect
from contextlib import aclosing, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import openai

from .callers import API_KEY, CONNECTION_HEADERS
from .servers import PATIENCE

SYNC, ASYNC = "sync", "async"
KINDS = (SYNC, ASYNC)


@dataclass
class Outcome:
    """What the client saw of a call."""

    # Status and headers of each response.
    heads: list = field(default_factory=list)
    results: list = field(default_factory=list)
    error: dict | None = None

    @property
    def request_id(self):
        return self.heads[0]["headers"].get("x-request-id", [None])[0] if self.heads else None


class Clients:
    """Their connections, which are kept and used again as in an application."""

    def __init__(self):
        self.runner = asyncio.Runner()
        self.http = {
            SYNC: openai.DefaultHttpxClient(event_hooks={"response": [note]}),
            ASYNC: openai.DefaultAsyncHttpxClient(event_hooks={"response": [note_async]}),
        }

    def ask(self, kind, base, caller, ask):
        return self.runner.run(self.outcome_of(kind, base, caller, ask))

    def ask_all(self, kind, base, callers, ask):
        """Lets all of them ask at the same time."""

        async def together():
            return await asyncio.gather(*(self.outcome_of(kind, base, caller, ask) for caller in callers))

        return self.runner.run(together())

    async def outcome_of(self, kind, base, caller, ask):
        """Everything that a call gives, up to the error that ends it."""
        outcome = Outcome()
        seen_heads.set(outcome.heads)
        make = openai.OpenAI if kind == SYNC else openai.AsyncOpenAI
        client = make(
            base_url=base,
            api_key=API_KEY,
            organization="org-of-the-check",
            max_retries=0,
            timeout=PATIENCE,
            default_headers=caller.headers,
            http_client=self.http[kind],
        )
        try:
            async with aclosing(ask(client)) as results:
                async for result in results:
                    outcome.results.append(result)
        except openai.APIError as error:
            outcome.error = described(error)
        return outcome

    def close(self):
        self.http[SYNC].close()
        self.runner.run(self.http[ASYNC].aclose())
        self.runner.close()


seen_heads = ContextVar("seen_heads")


def note(response):
    headers = {}
    for name, value in response.headers.raw:
        headers.setdefault(name.decode().lower(), []).append(value.decode("latin-1"))
    kept = {name: values for name, values in headers.items() if name not in CONNECTION_HEADERS}
    seen_heads.get().append({"version": response.http_version, "status": response.status_code, "headers": kept})


async def note_async(response):
    note(response)


def described(error):
    seen = {"type": type(error).__name__, "message": str(error), "body": error.body, "cause": repr(error.__cause__)}
    if isinstance(error, openai.APIStatusError):
        seen |= {"status": error.status_code, "text": error.response.text, "request_id": error.request_id}
    return seen


async def settled(value):
    """What a call gives, for which one kind of client has to wait."""
    return await value if inspect.isawaitable(value) else value


async def each(iterable):
    if hasattr(iterable, "__aiter__"):
        async for item in iterable:
            yield item
    else:
        for item in iterable:
            yield item


async def take(stream, count):
    """So many of the pieces of a stream, and no look at a further one."""
    async with aclosing(each(stream)) as pieces:
        return [(await anext(pieces)).model_dump() for _ in range(count)]


@asynccontextmanager
async def opened(manager):
    if hasattr(manager, "__aenter__"):
        async with manager as inside:
            yield inside
    else:
        with manager as inside:
            yield inside


def whole(call):
    """Asks for an answer as a whole."""

    async def ask(client):
        yield (await settled(call(client))).model_dump()

    return ask


def streamed(call):
    """Asks for an answer piece by piece."""

    async def ask(client):
        async for piece in each(await settled(call(client))):
            yield piece.model_dump()

    return ask
