"""How answers are written to the wire, and what is taken of them."""

from contextlib import closing

from openai_client.answers.wire import compact, data, endless_answer, event, json_body, stream_answer, whole_answer

__all__ = ["data", "endless_answer", "event", "json_body", "line", "stream_answer", "take", "whole_answer"]


def line(value):
    """A line of NDJSON."""
    return compact(value) + b"\n"


def take(stream, count):
    """So many of the pieces of a stream, which is closed after them."""
    with closing(stream):
        for _, piece in zip(range(count), stream):
            yield piece
