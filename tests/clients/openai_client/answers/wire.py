"""How an answer is written to the wire."""

import gzip
import json

from ..comparing import expect

JSON_HEADERS = {
    "content-type": "application/json",
    "openai-organization": "org-of-the-check",
    "openai-processing-ms": "12",
    "openai-version": "2020-10-01",
    "x-ratelimit-limit-requests": "5000",
    "x-ratelimit-remaining-requests": "4999",
    "x-request-id": "req_whole",
}
STREAM_HEADERS = JSON_HEADERS | {"content-type": "text/event-stream; charset=utf-8", "x-request-id": "req_streamed"}

DONE = b"data: [DONE]\n\n"


def json_body(value):
    """JSON as most endpoints write it: over several lines, with characters as they are."""
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"


def json_answer(body, status=200, headers=None):
    return whole_answer(body, JSON_HEADERS | (headers or {}), status)


def whole_answer(body, headers, status=200):
    def answer(exchange):
        exchange.send_whole(status, headers, body)

    return answer


def gzip_answer(body):
    packed = gzip.compress(body, mtime=0)

    def answer(exchange):
        accepted = exchange.headers.get("accept-encoding", "")
        expect("gzip" in accepted, f"gzip is not accepted, only {accepted!r}")
        exchange.send_whole(200, JSON_HEADERS | {"content-encoding": "gzip", "vary": "accept-encoding"}, packed)

    return answer


def stream_answer(pieces, headers=STREAM_HEADERS):
    """An answer that is sent piece by piece."""
    pieces = list(pieces)

    def answer(exchange):
        exchange.begin_stream(headers)
        for piece in pieces:
            exchange.send_piece(piece)
        exchange.end_stream()

    return answer


def endless_answer(pieces, headers=STREAM_HEADERS):
    """An answer that goes on until nobody reads it any more."""
    pieces = list(pieces)

    def answer(exchange):
        exchange.begin_stream(headers)
        for piece in pieces:
            exchange.send_piece(piece)
        exchange.wait_until_abandoned()

    return answer


def data(value):
    """An event without a name."""
    return b"data: %s\n\n" % compact(value)


def event(value):
    """An event that has its type as its name."""
    return b"event: %s\n%s" % (value["type"].encode(), data(value))


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
