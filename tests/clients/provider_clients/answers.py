"""How an answer is written to the wire, and what is taken of it."""

from contextlib import closing

from openai_client.answers.wire import compact


def line(value):
    """A line of NDJSON."""
    return compact(value) + b"\n"


def take(stream, count):
    """So many of the pieces of a stream, which is closed after them."""
    with closing(stream):
        for _, piece in zip(range(count), stream):
            yield piece
