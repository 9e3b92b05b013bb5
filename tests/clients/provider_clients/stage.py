"""Asking the same several times, and looking for the reports."""

import json
import re
import time
from dataclasses import dataclass, field
from typing import Callable

from openai_client.callers import CONNECTION_HEADERS, GATEWAY_HEADERS, IDENTITY_HEADERS, Caller
from openai_client.comparing import SOME_NUMBER, UUID, as_sent, expect, expect_same, parsed
from openai_client.gateway import API_KEY, APP_KEY, Gateway
from openai_client.servers import Upstream

# What a gateway makes if a client sends none.
OWN_ID = "[0-9a-f-]{36}"

# Different for every request, also of the same call.
RANDOM_HEADERS = ("amz-sdk-invocation-id",)


@dataclass(frozen=True)
class Provider:
    """An official client, and what reports say of its provider."""

    # In the names of settings.
    name: str
    format: str
    version: str
    # Makes a client from the base URL and the headers of its requests.
    client: Callable
    # What the client raises.
    errors: tuple
    # What the header of every answer identifies it by, if the provider has such a header.
    request_id: str | None = None
    # What is made of a request's body.
    reported: Callable = parsed
    # The part of a gateway's paths that the upstream does not see.
    prefix: str = ""


@dataclass
class Outcome:
    """What the application saw of a call."""

    results: list = field(default_factory=list)
    error: dict | None = None


class Stage:
    """The servers and the gateways."""

    def __init__(self, providers, binary):
        self.upstream = Upstream()
        bases = {f"{provider.name}_BASE_URL": self.upstream.address for provider in providers}
        self.gateways = [Gateway(binary, bases, is_thorough) for is_thorough in (False, True)]

    def open(self):
        self.addresses = [gateway.wait_for_address() for gateway in self.gateways]

    def ask(self, provider, name, answer, ask):
        """Asks the upstream directly and through each gateway, which has to look the same."""
        caller = Caller(f"{provider.name.lower()}-{name}")
        story = caller.story
        expect(story not in self.upstream.answers, f"two stories are called {story}")
        self.upstream.answers[story] = answer
        since = milliseconds()
        direct = outcome_of(provider, self.upstream.address, caller, ask)
        for gateway, address in zip(self.gateways, self.addresses):
            outcome = outcome_of(provider, address + provider.prefix, caller, ask)
            expect_same(without_own_id(vars(outcome)), vars(direct), f"{story}: through {gateway.name}, the outcome")
        received = self.upstream.received[story]
        expect(len(received) == len(self.gateways) + 1, f"{story}: {len(received)} requests, {direct.error}")
        first, *forwarded = received
        for gateway, request in zip(self.gateways, forwarded):
            expect_same_request(request, first, f"{story}: through {gateway.name}")
        return Call(self, provider, caller, since, direct, first)

    def close(self):
        for gateway in self.gateways:
            gateway.kill()


def outcome_of(provider, base, caller, ask):
    """Everything that a call gives, up to the error that ends it."""
    outcome = Outcome()
    client = provider.client(base, caller.headers)
    try:
        for result in ask(client):
            outcome.results.append(result)
    except provider.errors as error:
        outcome.error = described(error)
    return outcome


def described(error):
    """The type of an error, its text, and all that it has besides which is plain."""
    known = {name: value for name, value in vars(error).items() if is_plain(value)}
    return {"class": type(error).__name__, "text": str(error)} | known


def is_plain(value):
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def expect_same_request(through, direct, what):
    for part in ("method", "target", "body"):
        expect_same(getattr(through, part), getattr(direct, part), f"{what}, the {part}")
    for name in IDENTITY_HEADERS:
        expect(name not in through.headers, f"{what}, {name} reached the upstream")
    kept = without(direct.headers, *IDENTITY_HEADERS, *CONNECTION_HEADERS, *RANDOM_HEADERS)
    forwarded = without(through.headers, *GATEWAY_HEADERS, *CONNECTION_HEADERS, *RANDOM_HEADERS)
    expect_same(forwarded, kept, f"{what}, the headers")


def without_own_id(value):
    """What was seen through a gateway, without the request id that it adds where the provider sends none."""
    if isinstance(value, dict):
        pairs = ((name, without_own_id(inside)) for name, inside in value.items())
        return {name: inside for name, inside in pairs if not (name == "x-request-id" and is_own_id(inside))}
    if isinstance(value, list):
        return [without_own_id(inside) for inside in value]
    # Cohere's errors have the headers in their text.
    return re.sub(f", 'x-request-id': '{OWN_ID}'", "", value) if isinstance(value, str) else value


def is_own_id(value):
    return isinstance(value, str) and re.fullmatch(OWN_ID, value)


def without(headers, *names):
    return {name: values for name, values in headers.items() if name not in names}


@dataclass
class Wanted:
    """What is to be reported."""

    operation: str
    # Bytes are what was answered, letter by letter; anything else is what is made of it.
    response: object
    kind: str = "chat"
    # What is made of the request's body, if not the usual.
    reported: Callable | None = None
    outcome: str = "answered"
    status: int = 200
    # How many events a streamed answer had.
    chunks: int | None = None


@dataclass
class Call:
    """What was asked, and what the application saw of it."""

    stage: Stage
    provider: Provider
    caller: Caller
    since: int
    outcome: Outcome
    request: object

    def expect_results(self, count):
        what = self.caller.story
        expect_same(self.outcome.error, None, f"{what}: the error")
        expect_same(len(self.outcome.results), count, f"{what}: the number of results")

    def expect_last(self, expected):
        """Expects the last of what the application saw. `null`, absent and empty are the same."""
        expect_same(bare(self.outcome.results[-1]), bare(expected), f"{self.caller.story}: the last result")

    def expect_error(self, name, results=0, **further):
        """Expects so many results and then an error of this class, with these attributes."""
        what = self.caller.story
        expect_same(len(self.outcome.results), results, f"{what}: the number of results")
        error = self.outcome.error or {}
        expected = {"class": name} | further
        expect_same({name: error.get(name) for name in expected}, expected, f"{what}: the error")

    def expect_abandoned(self):
        """Expects that nobody goes on asking for what nobody reads."""
        story = self.caller.story
        expect(self.stage.upstream.wait_until_abandoned(story), f"{story}: the upstream was not left")

    def expect_report(self, operation, response, **further):
        """Waits for the reports of the calls through the gateways, and looks at every field of them."""
        wanted = Wanted(operation, response, **further)
        due = [gateway for gateway in self.stage.gateways if gateway.is_thorough or wanted.status < 400]
        for gateway in self.stage.gateways:
            if gateway in due:
                gateway.expected_sessions.append(self.caller.session)
            else:
                gateway.expected_refusals += 1
        # All are counted before one is looked at, so that one that is wrong does not make the count wrong.
        for gateway in due:
            self.expect_report_of(gateway, wanted)

    def expect_report_of(self, gateway, wanted):
        what = f"{self.caller.story}: the report of {gateway.name}"
        post = gateway.collector.report_of(self.caller.session)
        expect(post, f"{what} did not come")
        request = (wanted.reported or self.provider.reported)(self.request.body)
        is_whole = isinstance(wanted.response, bytes)
        response = parsed(wanted.response) if is_whole else bare(as_sent(wanted.response))
        about = {"format": self.provider.format, "type": wanted.kind, "version": self.provider.version}
        expected = {
            "reconify": about | {"appKey": APP_KEY, "apiKey": API_KEY},
            "timestamps": {"request": SOME_NUMBER, "response": SOME_NUMBER},
            "session": self.caller.session,
            "sessionTimeout": None,
            "user": self.caller.user,
            "request": request,
            "response": response,
        }
        if gateway.is_thorough:
            expected["metadata"] = self.metadata(wanted)
        actual = post.body if is_whole else post.body | {"response": bare(post.body["response"])}
        expect_same(actual, expected, what)
        # The order of keys is part of "as sent", and comparing dictionaries does not see it.
        expect_same(json.dumps(post.body["request"]), json.dumps(request), f"{what}, the text of the request")
        if is_whole:
            expect_same(json.dumps(post.body["response"]), json.dumps(response), f"{what}, the text of the response")
        begun, ended = (int(post.body["timestamps"][name]) for name in ("request", "response"))
        expect(
            self.since - 1000 <= begun <= ended <= milliseconds() + 1000,
            f"{what} has the timestamps {begun} and {ended}, for a call that began at {self.since}",
        )

    def metadata(self, wanted):
        is_streamed = wanted.chunks is not None
        return {
            "id": UUID,
            "outcome": wanted.outcome,
            "endpoint": wanted.operation,
            "status": as_sent(wanted.status),
            "requestId": self.provider.request_id,
            "streamed": is_streamed,
            "chunks": as_sent(wanted.chunks or 0),
            "timeToFirstTokenMs": SOME_NUMBER if is_streamed else None,
            "durationMs": SOME_NUMBER,
            "truncated": False,
            "skipped": as_sent(0),
            "tags": {},
            "reporter": {"process": UUID, "captured": SOME_NUMBER, "dropped": SOME_NUMBER, "withheld": SOME_NUMBER},
        }


def bare(value):
    """A value without `null` and what is empty: in a stream, nobody can tell them from what is absent."""
    if isinstance(value, dict):
        pairs = ((key, bare(inside)) for key, inside in value.items())
        return {key: inside for key, inside in pairs if inside not in (None, "", [], {})}
    if isinstance(value, list):
        return [bare(inside) for inside in value]
    return value


def milliseconds():
    return time.time_ns() // 1_000_000
