"""Asking the same several times, and looking for the reports."""

import json
import time
from dataclasses import dataclass

from .callers import CONNECTION_HEADERS, GATEWAY_HEADERS, IDENTITY_HEADERS, Caller
from .clients import KINDS, Clients, Outcome
from .comparing import SOME_NUMBER, UUID, as_sent, expect, expect_same, parsed
from .gateway import API_KEY, APP_KEY, Gateway
from .servers import Upstream

# The types of the reports that Reconify documents, which are sent by default. The Responses API is sent as a chat.
DOCUMENTED = {
    "chat": "chat",
    "completion": "completion",
    "responses": "chat",
    "image-generation": "image",
    "image-edit": "image",
    "image-variation": "image",
}


class Stage:
    """The servers, the gateways and the clients."""

    def __init__(self, binary):
        self.upstream = Upstream()
        bases = {"OPENAI_BASE_URL": f"{self.upstream.address}/v1"}
        self.gateways = [Gateway(binary, bases, is_thorough) for is_thorough in (False, True)]
        self.clients = Clients()

    def open(self):
        addresses = [self.upstream.address, *(gateway.wait_for_address() for gateway in self.gateways)]
        self.bases = [f"{address}/v1" for address in addresses]

    def ask(self, name, answer, ask, kinds=KINDS, is_known=True):
        """Asks the upstream directly and through each gateway, with each kind of client, which has to see the same."""
        askings = []
        for kind in kinds:
            caller = Caller(f"{name}-{kind}", is_known)
            expect(caller.story not in self.upstream.answers, f"two stories are called {caller.story}")
            self.upstream.answers[caller.story] = answer
            since = milliseconds()
            outcomes = [self.clients.ask(kind, base, caller, ask) for base in self.bases]
            askings.append(self.compared(caller, since, outcomes))
        return Call(self, askings)

    def ask_together(self, names, answer, ask, kind):
        """Asks as several callers at the same time."""
        callers = {name: Caller(f"{name}-{kind}") for name in names}
        self.upstream.answers |= {caller.story: answer for caller in callers.values()}
        since = milliseconds()
        seen = [self.clients.ask_all(kind, base, callers.values(), ask) for base in self.bases]
        askings = [self.compared(caller, since, outcomes) for caller, outcomes in zip(callers.values(), zip(*seen))]
        return {name: Call(self, [asking]) for name, asking in zip(names, askings)}

    def compared(self, caller, since, outcomes):
        direct, *through = outcomes
        for gateway, outcome in zip(self.gateways, through):
            expect_same(vars(outcome), vars(direct), f"{caller.story}: through {gateway.name}, the outcome")
        received = self.upstream.received[caller.story]
        expect(len(received) == len(self.bases), f"{caller.story}: the upstream was asked {len(received)} times")
        for gateway, request in zip(self.gateways, received[1:]):
            what = f"{caller.story}: through {gateway.name}"
            expect_same_request(request.without_boundary(), received[0].without_boundary(), what)
        return Asking(caller, since, direct, received[0])

    def close(self):
        for gateway in self.gateways:
            gateway.kill()
        self.clients.close()


def expect_same_request(through, direct, what):
    for part in ("method", "target", "body"):
        expect_same(getattr(through, part), getattr(direct, part), f"{what}, the {part}")
    for name in IDENTITY_HEADERS:
        expect(name not in through.headers, f"{what}, {name} reached the upstream")
    expect(direct.headers.keys() >= {"authorization", "user-agent", "x-stainless-lang"}, "not the official client")
    own = (*IDENTITY_HEADERS, *CONNECTION_HEADERS)
    kept = {name: values for name, values in direct.headers.items() if name not in own}
    expect(through.headers.keys() >= set(GATEWAY_HEADERS), f"{what}, the gateway's own headers are missing")
    others = (*GATEWAY_HEADERS, *CONNECTION_HEADERS)
    forwarded = {name: values for name, values in through.headers.items() if name not in others}
    expect_same(forwarded, kept, f"{what}, the headers")


@dataclass
class Asking:
    """What one kind of client asked, and saw each time."""

    caller: Caller
    since: int
    outcome: Outcome
    request: object


@dataclass
class Wanted:
    """What is to be reported."""

    endpoint: str
    # Bytes are what was answered, letter by letter; anything else is what is made of it.
    response: object
    # What is made of the request, if it is not reported as it was sent.
    request: object = None
    # The response where it is not translated.
    verbatim: object = None
    # Elements of `data` that are uploaded.
    images: tuple = ()
    outcome: str = "answered"
    # None, if there was no answer.
    status: int | None = 200
    # How many events a streamed answer had.
    chunks: int | None = None
    # Whether the model said anything in them.
    has_token: bool = True


@dataclass
class Call:
    """What was asked, by each kind of client."""

    stage: Stage
    askings: list

    def expect(self, what, expected, of):
        """Expects something of what the client saw."""
        for asking in self.askings:
            expect_same(of(asking.outcome), expected, f"{asking.caller.story}: {what}")

    def expect_results(self, count):
        self.expect("the number of results", count, lambda outcome: len(outcome.results))
        self.expect("the error", None, lambda outcome: outcome.error)

    def expect_abandoned(self):
        """Expects that nobody goes on asking for what nobody reads."""
        for asking in self.askings:
            story = asking.caller.story
            expect(self.stage.upstream.wait_until_abandoned(story), f"{story}: the upstream was not left")

    def expect_report(self, endpoint, response, **further):
        """Waits for the reports of the calls through the gateways, and looks at every field of them."""
        wanted = Wanted(endpoint, response, **further)
        due = []
        for gateway in self.stage.gateways:
            for asking in self.askings:
                is_withheld = wanted.status is not None and wanted.status >= 400
                if gateway.is_thorough or (endpoint in DOCUMENTED and not is_withheld):
                    gateway.expected_sessions.append(asking.caller.session)
                    gateway.expected_uploads += len(wanted.images)
                    due.append((gateway, asking))
                elif endpoint in DOCUMENTED:
                    gateway.expected_refusals += 1
        # All are counted before one is looked at, so that one that is wrong does not make the count wrong.
        for gateway, asking in due:
            expect_report(gateway, asking, wanted)


def expect_report(gateway, asking, wanted):
    what = f"{asking.caller.story}: the report of {gateway.name}"
    post = gateway.collector.report_of(asking.caller.session)
    expect(post, f"{what} did not come")
    is_verbatim = wanted.endpoint == "responses" and gateway.is_thorough
    request = asking.request.body if wanted.request is None or is_verbatim else wanted.request
    response = wanted.response if wanted.verbatim is None or not is_verbatim else wanted.verbatim
    expected = {
        "reconify": envelope(type_of(wanted.endpoint, gateway)),
        "timestamps": {"request": SOME_NUMBER, "response": SOME_NUMBER},
        "session": asking.caller.session,
        "sessionTimeout": None,
        "user": asking.caller.user,
        "request": value_of(request),
        "response": value_of(response),
    }
    if gateway.is_thorough:
        expected["metadata"] = metadata(asking, wanted)
    expect_same(post.body, expected, what)
    # The order of keys is part of "as sent", and comparing dictionaries does not see it.
    for name, value in (("request", request), ("response", response)):
        if isinstance(value, bytes):
            expect_same(json.dumps(post.body[name]), json.dumps(parsed(value)), f"{what}, the text of {name}")
    begun, ended = (int(post.body["timestamps"][name]) for name in ("request", "response"))
    expect(
        asking.since - 1000 <= begun <= ended <= milliseconds() + 1000,
        f"{what} has the timestamps {begun} and {ended}, for a call that began at {asking.since}",
    )
    expect_same(post.headers.get("idempotency-key"), UUID, f"{what}, its key")
    if gateway.is_thorough:
        expect_same(post.headers["idempotency-key"], post.body["metadata"]["id"], f"{what}, its key")
    expect_uploads(gateway, post, wanted.images, what)


def expect_uploads(gateway, report, images, what):
    """Expects that the images of an answer follow its report, in their order."""
    names = [name for name in report.body["response"].get("data", []) if isinstance(name, str)]
    expect_same(len(names), len(images), f"{what}, the number of file names")
    places = [gateway.collector.posts.index(report)]
    for name, image in zip(names, images):
        upload = gateway.collector.upload_of(name)
        expect(upload, f"{what}: {name} was not uploaded")
        about = {"filename": name, "type": "response-image", "data": as_sent(image), "format": "b64_json"}
        expected = {"reconify": envelope("image-upload"), "upload": about}
        expect_same(upload.body, expected, f"{what}: the upload of {name}")
        places.append(gateway.collector.posts.index(upload))
    expect_same(places, sorted(places), f"{what}: the order of the posts")


def envelope(kind):
    return {"format": "openai", "type": kind, "version": "1.0.0", "appKey": APP_KEY, "apiKey": API_KEY}


def type_of(endpoint, gateway):
    if endpoint == "responses" and gateway.is_thorough:
        return "response"
    return DOCUMENTED.get(endpoint, endpoint)


def value_of(wanted):
    return parsed(wanted) if isinstance(wanted, bytes) else wanted


def metadata(asking, wanted):
    is_streamed = wanted.chunks is not None
    return {
        "id": UUID,
        "outcome": wanted.outcome,
        "endpoint": wanted.endpoint,
        "status": as_sent(wanted.status),
        "requestId": asking.outcome.request_id,
        "streamed": is_streamed,
        "chunks": as_sent(wanted.chunks or 0),
        "timeToFirstTokenMs": SOME_NUMBER if is_streamed and wanted.has_token else None,
        "durationMs": SOME_NUMBER,
        "truncated": False,
        "skipped": as_sent(0),
        "tags": {},
        "reporter": {"process": UUID, "captured": SOME_NUMBER, "dropped": SOME_NUMBER, "withheld": SOME_NUMBER},
    }


def milliseconds():
    return time.time_ns() // 1_000_000
