"""Checks the gateway example with the official Python client of OpenAI.

    python openai_client.py PATH_OF_THE_GATEWAY

Every scenario asks the same twice, of an upstream directly and through the gateway. The client has to see the same both
times, the upstream too, and the collector has to get the one report that belongs to it.
"""

import asyncio
import gzip
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Everything is on this machine: a proxy could not reach it.
for variable in ("http_proxy", "https_proxy", "all_proxy"):
    os.environ.pop(variable, None)
    os.environ.pop(variable.upper(), None)

import openai  # noqa: E402

# The longest that anything is waited for. Nothing takes this long unless something is wrong.
PATIENCE = 15

APP_KEY = "app-key-of-the-check"
API_KEY = "api-key-of-the-check"
IDENTITY_HEADERS = ("x-user-id", "x-user-email", "x-session-id")
# They concern one connection, not the exchange.
CONNECTION_HEADERS = ("connection", "keep-alive", "transfer-encoding")


# --- What is compared, and how ---------------------------------------------------------------------------------------


class Number(str):
    """A number as it was spelled, so that 1, 1.0 and 1e0 are different."""


def parsed(text):
    return json.loads(text, parse_int=Number, parse_float=Number)


def differences(actual, expected, path=""):
    """One line for every place at which two values differ."""
    if isinstance(actual, dict) and isinstance(expected, dict):
        for key in {**expected, **actual}:
            if key not in actual:
                yield f"{path}.{key} is missing, expected {expected[key]!r}"
            elif key not in expected:
                yield f"{path}.{key} is {actual[key]!r}, expected to be absent"
            else:
                yield from differences(actual[key], expected[key], f"{path}.{key}")
    elif isinstance(actual, list) and isinstance(expected, list) and len(actual) == len(expected):
        for i, pair in enumerate(zip(actual, expected)):
            yield from differences(*pair, f"{path}[{i}]")
    elif type(actual) is not type(expected) or actual != expected:
        yield f"{path} is {actual!r}, expected {expected!r}"


def expect_same(actual, expected, what):
    found = list(differences(actual, expected, what))
    if found:
        raise AssertionError("\n".join(found))


def expect(is_right, problem):
    if not is_right:
        raise AssertionError(problem)


# --- The three servers -----------------------------------------------------------------------------------------------


class Server(ThreadingHTTPServer):
    """A server on a free port, each connection on a thread of its own."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.changed = threading.Condition()
        self.problems = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        # Clients may go away at any time. Anything else is a defect of this script.
        if not isinstance(sys.exception(), ConnectionError):
            self.problems.append(traceback.format_exc())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def read_body(self):
        if "transfer-encoding" not in self.headers:
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def send_whole(self, status, headers, body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@dataclass
class Received:
    """A request as the upstream got it."""

    target: str
    headers: dict
    body: bytes
    # Whether whoever asked went away before the end of the answer.
    is_abandoned: bool = False


class Upstream(Server):
    """A small OpenAI. It answers a question, which is the last message or the prompt, as it was told to."""

    def __init__(self):
        super().__init__(UpstreamHandler)
        self.answers = {}
        self.received = defaultdict(list)

    def note(self, question, received):
        with self.changed:
            self.received[question].append(received)


class UpstreamHandler(Handler):
    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.answer()

    def answer(self):
        body = self.read_body()
        headers = defaultdict(list)
        for name, value in self.headers.items():
            headers[name.lower()].append(value)
        self.received = Received(self.path, dict(headers), body)
        question = question_of(json.loads(body)) if body else self.path
        self.server.note(question, self.received)
        self.server.answers[question](self)

    def begin_stream(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("x-request-id", "req_streamed")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def send_piece(self, piece):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))

    def end_stream(self):
        self.wfile.write(b"0\r\n\r\n")

    def wait_until_abandoned(self):
        self.connection.settimeout(PATIENCE)
        try:
            gone = self.connection.recv(1) == b""
        except ConnectionError:
            gone = True
        except TimeoutError:
            gone = False
        self.close_connection = True
        with self.server.changed:
            self.received.is_abandoned = gone
            self.server.changed.notify_all()

    def break_off(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def question_of(request):
    return request["messages"][-1]["content"] if "messages" in request else request["prompt"]


class Collector(Server):
    """A Reconify that keeps what it gets."""

    def __init__(self):
        super().__init__(CollectorHandler)
        self.reports = []

    def wait_for(self, session):
        """The first report of a session."""

        def found():
            return next((report for report in self.reports if report["session"] == session), None)

        with self.changed:
            self.changed.wait_for(found, PATIENCE)
            return found()


class CollectorHandler(Handler):
    def do_POST(self):
        body = self.read_body()
        with self.server.changed:
            if self.path == "/track" and self.headers["content-type"] == "application/json":
                self.server.reports.append(parsed(body))
            else:
                self.server.problems.append(f"POST {self.path} of {self.headers['content-type']}")
            self.server.changed.notify_all()
        self.send_whole(200, {"content-type": "application/json"}, b'{"status":"ok"}')


class Gateway:
    """The gateway, as a process of its own."""

    def __init__(self, binary, upstream, collector):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RECONIFY_")}
        environment |= {
            "LISTEN_ADDR": "127.0.0.1:0",
            "OPENAI_BASE_URL": f"{upstream.address}/v1",
            "RECONIFY_ENDPOINT": f"{collector.address}/track",
            "RECONIFY_APP_KEY": APP_KEY,
            "RECONIFY_API_KEY": API_KEY,
        }
        self.process = subprocess.Popen(
            [binary], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines = []
        self.has_ended = False
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        # Its output has to be read to its end: a full pipe would hold it up.
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.has_ended = True
            self.changed.notify_all()

    def wait_for_address(self):
        def found():
            matches = (re.fullmatch(r"listening on (http://\S+)", line) for line in self.lines)
            return next((match[1] for match in matches if match), None)

        with self.changed:
            self.changed.wait_for(lambda: found() or self.has_ended, PATIENCE)
            expect(found(), "the gateway does not listen")
            return found()

    def stop(self):
        """Asks it to stop, and returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        return code

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


# --- What the upstream answers ---------------------------------------------------------------------------------------


def json_answer(body, status=200, headers=None):
    def answer(exchange):
        head = {"content-type": "application/json", "x-request-id": "req_whole", **(headers or {})}
        exchange.send_whole(status, head, body)

    return answer


def gzip_answer(body):
    packed = gzip.compress(body, mtime=0)

    def answer(exchange):
        accepted = exchange.headers.get("accept-encoding", "")
        expect("gzip" in accepted, f"gzip is not accepted, only {accepted!r}")
        head = {"content-type": "application/json", "content-encoding": "gzip", "vary": "accept-encoding"}
        exchange.send_whole(200, head, packed)

    return answer


def stream_answer(chunks):
    def answer(exchange):
        exchange.begin_stream()
        for event in events(chunks):
            exchange.send_piece(event)
        exchange.send_piece(b"data: [DONE]\n\n")
        exchange.end_stream()

    return answer


def events(chunks):
    return [f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode() for chunk in chunks]


def chat_chunks(deltas, usage, **top):
    """The chunks of a streamed chat. A delta is (index of the choice, delta, reason for its end)."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1741569952, "model": "gpt-4o-2024-08-06"}
    head |= {"service_tier": "default", "system_fingerprint": "fp_1"} | top
    # The real one pads its chunks, so that nobody can guess texts from packet lengths.
    chunks = [
        head
        | {
            "choices": [{"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}],
            "usage": None,
            "obfuscation": "x" * (number % 5),
        }
        for number, (index, delta, finish) in enumerate(deltas)
    ]
    return [*chunks, head | {"choices": [], "usage": usage, "obfuscation": ""}]


def chat_completion(choices, usage, **top):
    """What the same chat is when it is not streamed. A choice is (message, reason for its end)."""
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1741569952, "model": "gpt-4o-2024-08-06"}
    whole = [
        {"index": index, "message": message, "logprobs": None, "finish_reason": finish}
        for index, (message, finish) in enumerate(choices)
    ]
    tail = {"service_tier": "default", "system_fingerprint": "fp_1"} | top
    return head | tail | {"choices": whole, "usage": usage}


def usage_of(prompt, completion):
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "accepted_prediction_tokens": 0},
    }


def said(content):
    return {"role": "assistant", "content": content, "refusal": None}


FIRST_DELTA = {"role": "assistant", "content": "", "refusal": None}


# --- Asking twice, and looking for the report ------------------------------------------------------------------------


@dataclass(frozen=True)
class Caller:
    """Who asks. The gateway takes it from headers of its own."""

    name: str

    @property
    def headers(self):
        return dict(zip(IDENTITY_HEADERS, (f"user-{self.name}", f"{self.name}@example.com", self.session)))

    @property
    def user(self):
        return {"userId": f"user-{self.name}", "email": f"{self.name}@example.com"}

    @property
    def session(self):
        return f"session-{self.name}"


class Stranger:
    """A caller who says nothing about itself."""

    headers = {}
    user = {}
    session = None


@dataclass
class Outcome:
    """What the client saw of a call."""

    results: list = field(default_factory=list)
    error: dict | None = None


class Stage:
    """The servers, and what is to be true when all scenarios are over."""

    def __init__(self, binary):
        self.upstream = Upstream()
        self.collector = Collector()
        self.gateway = Gateway(binary, self.upstream, self.collector)
        self.expected_reports = 0

    def open(self):
        address = self.gateway.wait_for_address()
        self.bases = (f"{self.upstream.address}/v1", f"{address}/v1")

    def ask_twice(self, caller, question, answer, ask):
        """Asks the upstream directly and through the gateway. Returns the outcome, which was the same."""
        self.upstream.answers[question] = answer
        direct, through = (outcome_of(ask, settings(base, caller)) for base in self.bases)
        expect_same(vars(through), vars(direct), "through the gateway, the outcome")
        self.expect_same_requests(question)
        return direct

    def expect_same_requests(self, question):
        received = self.upstream.received[question]
        expect(len(received) == 2, f"the upstream was asked {len(received)} times, not twice")
        direct, through = received
        expect_same(through.target, direct.target, "through the gateway, the target")
        expect_same(through.body, direct.body, "through the gateway, the body")
        for name in IDENTITY_HEADERS:
            expect(name not in through.headers, f"{name} reached the upstream")
        expect(direct.headers.keys() >= {"authorization", "user-agent", "x-stainless-lang"}, "not the official client")
        kept = {
            name: value
            for name, value in direct.headers.items()
            if name not in IDENTITY_HEADERS and name not in CONNECTION_HEADERS
        }
        forwarded = {name: value for name, value in through.headers.items() if name not in CONNECTION_HEADERS}
        expect_same(forwarded, kept, "through the gateway, the headers")

    def expect_report(self, caller, question, kind, response, since):
        """Waits for the report of the call through the gateway, and looks at every field of it."""
        self.expected_reports += 1
        report = self.collector.wait_for(caller.session)
        expect(report, f"no report of {caller.session} came")
        request = parsed(self.upstream.received[question][-1].body)
        timestamps = report.pop("timestamps")
        expected = {
            "reconify": {
                "format": "openai",
                "type": kind,
                "version": "1.0.0",
                "appKey": APP_KEY,
                "apiKey": API_KEY,
            },
            "session": caller.session,
            "sessionTimeout": None,
            "user": caller.user,
            "request": request,
            "response": parsed(response),
        }
        expect_same(report, expected, "the report")
        # The order of keys is part of "as sent", and comparing dictionaries does not see it.
        expect_same(json.dumps(report["request"]), json.dumps(request), "the request's text")
        begun, ended = int(timestamps["request"]), int(timestamps["response"])
        expect(
            since - 1000 <= begun <= ended <= milliseconds() + 1000,
            f"the timestamps are {begun} and {ended}, for a call that began at {since}",
        )
        return report


def milliseconds():
    return time.time_ns() // 1_000_000


def settings(base, caller):
    return {
        "base_url": base,
        "api_key": "sk-of-the-check",
        "organization": "org-of-the-check",
        "max_retries": 0,
        "timeout": PATIENCE,
        "default_headers": {**caller.headers, "x-own-header": "kept"},
    }


def outcome_of(ask, client_settings):
    """Everything that a call gives, up to the error that ends it."""
    outcome = Outcome()
    try:
        with openai.OpenAI(**client_settings) as client:
            for result in ask(client):
                outcome.results.append(result)
    except openai.APIStatusError as error:
        outcome.error = {
            "type": type(error).__name__,
            "status": error.status_code,
            "body": error.body,
            "text": error.response.text,
            "message": str(error),
            "request_id": error.request_id,
            "retry_after": error.response.headers.get("retry-after"),
        }
    except openai.APIError as error:
        outcome.error = {"type": type(error).__name__, "message": str(error), "cause": repr(error.__cause__)}
    return outcome


def chat(question, **options):
    return {
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": "Be brief – and “kind”."},
            {"role": "user", "content": question},
        ],
        **options,
    }


def ask_chat(**request):
    def ask(client):
        yield client.chat.completions.create(**request).model_dump()

    return ask


def ask_chat_stream(**request):
    def ask(client):
        for chunk in client.chat.completions.create(stream=True, **request):
            yield chunk.model_dump()

    return ask


# --- The scenarios ---------------------------------------------------------------------------------------------------


def a_chat_is_passed_on_and_reported(stage):
    caller, question, since = Caller("chat"), "Say hello.", milliseconds()
    # Spellings, fields and an order that no client library would write.
    body = (
        '{"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12},"id":"chatcmpl-0","vendor":{"cost":1.50E-3},'
        '"object":"chat.completion","created":1741569952,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":'
        '{"role":"assistant","content":"Hello \\ud83d\\ude00 wörld","refusal":null,"annotations":[]},"logprobs":null,'
        '"finish_reason":"stop"}]}'
    ).encode()
    request = chat(question, temperature=0.1, seed=12345678901234567, metadata={"b": "1", "a": "2"})
    outcome = stage.ask_twice(caller, question, json_answer(body), ask_chat(**request))
    expect_same(outcome.results[0]["choices"][0]["message"]["content"], "Hello 😀 wörld", "the content")
    report = stage.expect_report(caller, question, "chat", body, since)
    expect_same(json.dumps(report["response"]), json.dumps(parsed(body)), "the response's text")


def the_headers_of_an_answer_are_passed_on(stage):
    caller, question, since = Caller("headers"), "Which headers?", milliseconds()
    body = json.dumps(chat_completion([(said("These."), "stop")], usage_of(3, 1))).encode()
    own = {"openai-processing-ms": "12", "x-ratelimit-remaining-requests": "4999", "openai-version": "2020-10-01"}

    def ask(client):
        response = client.chat.completions.with_raw_response.create(**chat(question))
        headers = {name: value for name, value in response.headers.items() if name not in CONNECTION_HEADERS}
        # The time of day may have moved on.
        headers.pop("date")
        yield headers
        yield response.parse().model_dump()

    outcome = stage.ask_twice(caller, question, json_answer(body, headers=own), ask)
    expect(outcome.results[0].items() >= own.items(), "the client does not see the headers")
    stage.expect_report(caller, question, "chat", body, since)


def a_caller_without_a_name_is_reported_as_nobody(stage):
    question, since = "Who am I?", milliseconds()
    body = json.dumps(chat_completion([(said("Who knows."), "stop")], usage_of(4, 2))).encode()
    stage.ask_twice(Stranger, question, json_answer(body), ask_chat(**chat(question)))
    stage.expect_report(Stranger, question, "chat", body, since)


def a_gzipped_answer_is_reported_unpacked(stage):
    caller, question, since = Caller("gzip"), "Say it at length.", milliseconds()
    content = " ".join(f"number {n}" for n in range(20_000))
    body = json.dumps(chat_completion([(said(content), "length")], usage_of(5, 40_000))).encode()
    outcome = stage.ask_twice(caller, question, gzip_answer(body), ask_chat(**chat(question)))
    expect_same(outcome.results[0]["choices"][0]["message"]["content"], content, "the content")
    stage.expect_report(caller, question, "chat", body, since)


def call_piece(index, arguments, **first):
    """A piece of a tool call; only the first has an identity."""
    function = {"name": first.pop("name"), "arguments": arguments} if first else {"arguments": arguments}
    return 0, {"tool_calls": [{"index": index, **first, "function": function}]}, None


WEATHER_AND_TIME = chat_chunks(
    [
        (0, FIRST_DELTA, None),
        (0, {"content": "Let me "}, None),
        (0, {"content": "look – 天気"}, None),
        (0, {"content": "."}, None),
        call_piece(0, "", id="call_weather", type="function", name="get_weather"),
        call_piece(0, '{"city": "Mün'),
        call_piece(1, "", id="call_time", type="function", name="get_time"),
        call_piece(1, '{"zone": '),
        call_piece(0, 'chen", "un'),
        call_piece(1, '"Europe/'),
        call_piece(1, 'Berlin"}'),
        call_piece(0, 'it": "°C"}'),
        (0, {}, "tool_calls"),
    ],
    usage_of(82, 40),
)


def tool(name):
    parameters = {"type": "object", "properties": {}, "additionalProperties": True}
    return {"type": "function", "function": {"name": name, "description": f"Does {name}.", "parameters": parameters}}


def function_call(id, name, arguments):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


WEATHER_AND_TIME_WHOLE = json.dumps(
    chat_completion(
        [
            (
                {
                    **said("Let me look – 天気."),
                    "tool_calls": [
                        function_call("call_weather", "get_weather", '{"city": "München", "unit": "°C"}'),
                        function_call("call_time", "get_time", '{"zone": "Europe/Berlin"}'),
                    ],
                },
                "tool_calls",
            )
        ],
        usage_of(82, 40),
    )
)


def a_streamed_chat_with_parallel_tool_calls_is_reported_whole(stage):
    caller, question, since = Caller("tools"), "Weather and time in Munich?", milliseconds()
    tools = [tool("get_weather"), tool("get_time")]
    request = chat(question, tools=tools, stream_options={"include_usage": True})
    outcome = stage.ask_twice(caller, question, stream_answer(WEATHER_AND_TIME), ask_chat_stream(**request))
    expect_same(len(outcome.results), len(WEATHER_AND_TIME), "the number of chunks")
    stage.expect_report(caller, question, "chat", WEATHER_AND_TIME_WHOLE, since)


def a_stream_cut_anywhere_is_reported_whole(stage):
    caller, question, since = Caller("cut"), "Weather and time, in shreds?", milliseconds()

    def in_shreds(exchange):
        exchange.begin_stream()
        stream = b"".join(events(WEATHER_AND_TIME)) + b"data: [DONE]\n\n"
        # A prime that no event is long: lines, keys and characters of several bytes are all cut.
        for start in range(0, len(stream), 37):
            exchange.send_piece(stream[start : start + 37])
        exchange.end_stream()

    request = chat(question, tools=[tool("get_weather"), tool("get_time")], stream_options={"include_usage": True})
    outcome = stage.ask_twice(caller, question, in_shreds, ask_chat_stream(**request))
    expect_same(len(outcome.results), len(WEATHER_AND_TIME), "the number of chunks")
    stage.expect_report(caller, question, "chat", WEATHER_AND_TIME_WHOLE, since)


def a_stream_arrives_while_it_is_written(stage):
    caller, question, since = Caller("live"), "Count to five.", milliseconds()
    words = ["one ", "two ", "three ", "four ", "five"]
    deltas = [(0, FIRST_DELTA, None), *((0, {"content": word}, None) for word in words), (0, {}, "stop")]
    chunks = chat_chunks(deltas, usage_of(6, 9))
    seen = threading.Semaphore(0)

    def only_when_seen(exchange):
        exchange.begin_stream()
        for event in events(chunks):
            exchange.send_piece(event)
            # Whoever holds a chunk back waits for the next one, which never comes.
            if not seen.acquire(timeout=PATIENCE / 2):
                exchange.break_off()
                return
        exchange.send_piece(b"data: [DONE]\n\n")
        exchange.end_stream()

    def ask(client):
        for chunk in client.chat.completions.create(**chat(question), stream=True):
            seen.release()
            yield chunk.model_dump()

    outcome = stage.ask_twice(caller, question, only_when_seen, ask)
    expect_same(outcome.error, None, "the error")
    expect_same(len(outcome.results), len(chunks), "the number of chunks")
    whole = json.dumps(chat_completion([(said("one two three four five"), "stop")], usage_of(6, 9)))
    stage.expect_report(caller, question, "chat", whole, since)


def two_choices_of_a_stream_are_kept_apart(stage):
    caller, question, since = Caller("choices"), "Heads or tails?", milliseconds()
    chunks = chat_chunks(
        [
            (1, FIRST_DELTA, None),
            (0, FIRST_DELTA, None),
            (0, {"content": "He"}, None),
            (1, {"content": "Ta"}, None),
            (1, {"content": "ils, "}, None),
            (0, {"content": "ads."}, None),
            (0, {}, "stop"),
            (1, {"content": "then"}, None),
            (1, {}, "length"),
        ],
        usage_of(4, 8),
    )
    request = chat(question, n=2, max_completion_tokens=4, stream_options={"include_usage": True})
    outcome = stage.ask_twice(caller, question, stream_answer(chunks), ask_chat_stream(**request))
    expect_same(len(outcome.results), len(chunks), "the number of chunks")
    whole = chat_completion([(said("Heads."), "stop"), (said("Tails, then"), "length")], usage_of(4, 8))
    stage.expect_report(caller, question, "chat", json.dumps(whole), since)


COMPLETION = {"id": "cmpl-1", "object": "text_completion", "created": 1741569952, "model": "gpt-3.5-turbo-instruct"}


def a_text_completion_is_passed_on_and_reported(stage):
    caller, question, since = Caller("completion"), "Once upon a time", milliseconds()
    choice = {"text": "\n\nthere was a crab.", "index": 0, "logprobs": None, "finish_reason": "stop"}
    body = json.dumps(COMPLETION | {"choices": [choice], "usage": usage_of(4, 6)}).encode()

    def ask(client):
        yield client.completions.create(model=COMPLETION["model"], prompt=question, top_p=1e-05).model_dump()

    outcome = stage.ask_twice(caller, question, json_answer(body), ask)
    expect_same(outcome.results[0]["choices"][0]["text"], choice["text"], "the text")
    stage.expect_report(caller, question, "completion", body, since)


def a_streamed_text_completion_is_reported_whole(stage):
    caller, question, since = Caller("completion-stream"), "Twice upon a time", milliseconds()

    def choice(text, tokens, finish=None):
        logprobs = {"tokens": tokens, "token_logprobs": [-0.25 * len(token) for token in tokens]}
        return {"text": text, "index": 0, "logprobs": logprobs, "finish_reason": finish}

    pieces = [choice("\n\nthere ", ["\n\n", "there "]), choice("were", ["were"]), choice(" two.", [" two."], "stop")]
    chunks = [COMPLETION | {"choices": [piece], "usage": None} for piece in pieces]
    chunks.append(COMPLETION | {"choices": [], "usage": usage_of(4, 4)})

    def ask(client):
        options = {"logprobs": 1, "stream_options": {"include_usage": True}, "stream": True}
        for chunk in client.completions.create(model=COMPLETION["model"], prompt=question, **options):
            yield chunk.model_dump()

    outcome = stage.ask_twice(caller, question, stream_answer(chunks), ask)
    expect_same(len(outcome.results), len(chunks), "the number of chunks")
    whole = choice("\n\nthere were two.", ["\n\n", "there ", "were", " two."], "stop")
    whole = COMPLETION | {"choices": [whole], "usage": usage_of(4, 4)}
    stage.expect_report(caller, question, "completion", json.dumps(whole), since)


def a_stream_that_the_client_closes_is_reported_as_far_as_it_went(stage):
    caller, question, since = Caller("closed"), "Tell me everything.", milliseconds()
    words = ["First, ", "second"]
    chunks = chat_chunks([(0, FIRST_DELTA, None), *((0, {"content": word}, None) for word in words)], usage_of(1, 1))
    # The last chunk has the usage, which this stream does not live to see.
    chunks.pop()

    def endless(exchange):
        exchange.begin_stream()
        for event in events(chunks):
            exchange.send_piece(event)
        exchange.wait_until_abandoned()

    def ask(client):
        with client.chat.completions.create(**chat(question), stream=True) as stream:
            for chunk in itertools.islice(stream, len(chunks)):
                yield chunk.model_dump()

    outcome = stage.ask_twice(caller, question, endless, ask)
    expect_same(len(outcome.results), len(chunks), "the number of chunks")
    received = stage.upstream.received[question]
    with stage.upstream.changed:
        stage.upstream.changed.wait_for(lambda: all(one.is_abandoned for one in received), PATIENCE)
    expect(received[1].is_abandoned, "the gateway goes on asking for what nobody reads")
    whole = chat_completion([(said("First, second"), None)], None)
    stage.expect_report(caller, question, "chat", json.dumps(whole), since)


def a_stream_that_breaks_off_breaks_off_for_the_client(stage):
    caller, question, since = Caller("broken"), "Will you fail?", milliseconds()
    chunks = chat_chunks([(0, FIRST_DELTA, None), (0, {"content": "I wi"}, None)], usage_of(1, 1))[:2]

    seen = threading.Semaphore(0)

    def broken(exchange):
        exchange.begin_stream()
        for event in events(chunks):
            exchange.send_piece(event)
            # A server may discard what it has not written yet when its stream breaks, so the client has it before.
            expect(seen.acquire(timeout=PATIENCE / 2), "the client does not see a chunk")
        exchange.break_off()

    def ask(client):
        for chunk in client.chat.completions.create(**chat(question), stream=True):
            seen.release()
            yield chunk.model_dump()

    outcome = stage.ask_twice(caller, question, broken, ask)
    expect_same(len(outcome.results), len(chunks), "the number of chunks")
    expect_same(outcome.error["type"], "APIConnectionError", "the error")
    # It was answered in part, and that is reported.
    whole = chat_completion([(said("I wi"), None)], None)
    stage.expect_report(caller, question, "chat", json.dumps(whole), since)


def clients_that_ask_at_the_same_time_keep_their_names(stage):
    since = milliseconds()
    callers = {f"I am number {n}.": Caller(f"async-{n}") for n in range(8)}
    everyone = threading.Barrier(len(callers))
    usage = usage_of(5, 3)

    def chunks_for(question):
        deltas = [(0, FIRST_DELTA, None), (0, {"content": "Hello, "}, None), (0, {"content": question}, None)]
        return chat_chunks([*deltas, (0, {}, "stop")], usage, id=f"chatcmpl-{question}")

    def together(question):
        def answer(exchange):
            exchange.begin_stream()
            for event in events(chunks_for(question)):
                # Nobody gets the next chunk before everyone has asked for it.
                everyone.wait(PATIENCE)
                exchange.send_piece(event)
            exchange.send_piece(b"data: [DONE]\n\n")
            exchange.end_stream()

        return answer

    async def one_asks(base, question, caller):
        async with openai.AsyncOpenAI(**settings(base, caller)) as client:
            stream = await client.chat.completions.create(**chat(question), stream=True)
            return [chunk.model_dump() async for chunk in stream]

    async def all_ask(base):
        return await asyncio.gather(*(one_asks(base, *one) for one in callers.items()))

    stage.upstream.answers |= {question: together(question) for question in callers}
    direct, through = (asyncio.run(all_ask(base)) for base in stage.bases)
    expect_same(through, direct, "through the gateway, the chunks")
    for question, chunks in zip(callers, direct):
        expect_same(len(chunks), len(chunks_for(question)), "the number of chunks")
    for question, caller in callers.items():
        stage.expect_same_requests(question)
        whole = chat_completion([(said(f"Hello, {question}"), "stop")], usage, id=f"chatcmpl-{question}")
        stage.expect_report(caller, question, "chat", json.dumps(whole), since)


REFUSAL = {
    "error": {
        "message": "Invalid value: 'temperature' must be ≤ 2.",
        "type": "invalid_request_error",
        "param": "temperature",
        "code": "decimal_above_max_value",
    }
}


def expect_refusal(stage, name, question, ask, status=400, error="BadRequestError", headers=None):
    answer = json_answer(json.dumps(REFUSAL, ensure_ascii=False).encode(), status, headers)
    outcome = stage.ask_twice(Caller(name), question, answer, ask)
    expect_same(outcome.results, [], "the results")
    expect(outcome.error, "the client raised no error")
    seen = {name: outcome.error[name] for name in ("type", "status", "body")}
    expect_same(seen, {"type": error, "status": status, "body": REFUSAL["error"]}, "the error")
    return outcome


def a_refused_chat_raises_the_same_error_and_is_not_reported(stage):
    question = "Be too hot."
    expect_refusal(stage, "refused", question, ask_chat(**chat(question, temperature=3)))


def a_refused_stream_raises_the_same_error_and_is_not_reported(stage):
    question = "Be too hot, bit by bit."
    expect_refusal(stage, "refused-stream", question, ask_chat_stream(**chat(question, temperature=3)))


def a_rate_limit_reaches_the_client_with_its_delay_and_is_not_reported(stage):
    question, delay = "Again, and again.", {"retry-after": "20"}
    outcome = expect_refusal(
        stage, "limited", question, ask_chat(**chat(question)), 429, "RateLimitError", headers=delay
    )
    expect_same(outcome.error["retry_after"], "20", "the delay")


def other_endpoints_are_passed_on_and_not_reported(stage):
    models = {"object": "list", "data": [{"id": "gpt-4o", "object": "model", "created": 1, "owned_by": "system"}]}

    def ask(client):
        yield client.models.list(extra_query={"limit": "2 of many"}).model_dump()

    question = "/v1/models?limit=2+of+many"
    outcome = stage.ask_twice(Caller("models"), question, json_answer(json.dumps(models).encode()), ask)
    expect_same([model["id"] for model in outcome.results[0]["data"]], ["gpt-4o"], "the models")


def after_a_signal_the_gateway_ends_well_and_nothing_else_was_reported(stage):
    # Last, because only what has ended can no longer report anything.
    code = stage.gateway.stop()
    expect(code == 0, f"the gateway ended with {code}")
    sessions = [report["session"] for report in stage.collector.reports]
    expect_same(len(sessions), stage.expected_reports, "the number of reports")
    expect_same(len(set(sessions)), len(sessions), "the number of sessions")
    lost = [line for line in stage.gateway.lines if line.startswith("not delivered")]
    expect_same(lost, [], "what the gateway says it lost")
    expect_same(stage.upstream.problems + stage.collector.problems, [], "the problems of the servers")


SCENARIOS = (
    a_chat_is_passed_on_and_reported,
    the_headers_of_an_answer_are_passed_on,
    a_caller_without_a_name_is_reported_as_nobody,
    a_gzipped_answer_is_reported_unpacked,
    a_streamed_chat_with_parallel_tool_calls_is_reported_whole,
    a_stream_cut_anywhere_is_reported_whole,
    a_stream_arrives_while_it_is_written,
    two_choices_of_a_stream_are_kept_apart,
    a_text_completion_is_passed_on_and_reported,
    a_streamed_text_completion_is_reported_whole,
    a_stream_that_the_client_closes_is_reported_as_far_as_it_went,
    a_stream_that_breaks_off_breaks_off_for_the_client,
    clients_that_ask_at_the_same_time_keep_their_names,
    a_refused_chat_raises_the_same_error_and_is_not_reported,
    a_refused_stream_raises_the_same_error_and_is_not_reported,
    a_rate_limit_reaches_the_client_with_its_delay_and_is_not_reported,
    other_endpoints_are_passed_on_and_not_reported,
    after_a_signal_the_gateway_ends_well_and_nothing_else_was_reported,
)


def run(scenario, stage):
    name = scenario.__name__.replace("_", " ")
    try:
        scenario(stage)
    except Exception as error:
        print(f"FAILED {name}")
        # What differs says enough; anything else is a surprise, and where it came from matters.
        print(error if isinstance(error, AssertionError) else traceback.format_exc())
        return False
    print(f"ok     {name}")
    return True


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: openai_client.py PATH_OF_THE_GATEWAY")
    stage = Stage(sys.argv[1])
    try:
        stage.open()
        results = [run(scenario, stage) for scenario in SCENARIOS]
    finally:
        stage.gateway.kill()
    if not all(results):
        print("the gateway said:", *stage.gateway.lines, sep="\n  ")
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
