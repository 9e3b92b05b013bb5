"""The other ways in which the client gives an answer."""

from ..answers import chats
from ..answers.wire import json_answer, stream_answer
from ..clients import each, opened, settled
from ..comparing import as_sent

CHUNKS = chats.chunks([*chats.content("Hel", "lö."), (0, {}, "stop")])
STREAM = chats.stream(CHUNKS)
STREAMED = as_sent(chats.assembled([(chats.said("Hellö."), "stop")]))
WHOLE = chats.completion_body([(chats.answered("Hellö."), "stop")], chats.usage_of(3, 1))


def told(response):
    return {"status": response.status_code, "request_id": response.request_id, "method": response.http_request.method}


def a_raw_response_has_the_same_headers_and_is_reported(stage):
    own = {"x-ratelimit-remaining-tokens": "149998", "strict-transport-security": "max-age=31536000", "x-empty": ""}
    twice = {"x-twice": ["one", "two, three"]}

    async def ask(client):
        request = chats.question("Which headers?")
        response = await settled(client.chat.completions.with_raw_response.create(**request))
        yield told(response)
        yield {name: response.headers[name] for name in own}
        yield (await settled(response.parse())).model_dump()

    call = stage.ask("raw", json_answer(WHOLE, headers=own | twice), ask)
    call.expect("what is told", {"status": 200, "request_id": "req_whole", "method": "POST"}, result(0))
    call.expect("the headers", own, result(1))
    call.expect("the header that comes twice", twice["x-twice"], lambda outcome: outcome.heads[0]["headers"]["x-twice"])
    call.expect_report("chat", WHOLE)


def a_raw_response_that_is_streamed_is_reported(stage):
    async def ask(client):
        request = chats.question("Piece by piece?", stream=True)
        response = await settled(client.chat.completions.with_raw_response.create(**request))
        yield told(response)
        async for chunk in each(await settled(response.parse())):
            yield chunk.model_dump()

    call = stage.ask("raw-stream", stream_answer(STREAM), ask)
    call.expect_results(1 + len(CHUNKS))
    call.expect_report("chat", STREAMED, chunks=len(CHUNKS))


def a_response_that_is_read_bit_by_bit_is_reported(stage):
    async def ask(client):
        request = chats.question("Bit by bit?")
        async with opened(client.chat.completions.with_streaming_response.create(**request)) as response:
            yield told(response)
            yield b"".join([piece async for piece in each(response.iter_bytes())])

    call = stage.ask("bits", json_answer(WHOLE), ask)
    call.expect("the bytes", WHOLE, result(1))
    call.expect_report("chat", WHOLE)


def a_response_that_is_parsed_in_the_end_is_reported(stage):
    async def ask(client):
        request = chats.question("In the end?")
        async with opened(client.chat.completions.with_streaming_response.create(**request)) as response:
            yield told(response)
            yield (await settled(response.parse())).model_dump()

    call = stage.ask("in-the-end", json_answer(WHOLE), ask)
    call.expect_results(2)
    call.expect_report("chat", WHOLE)


def a_streaming_response_whose_events_are_parsed_is_reported(stage):
    async def ask(client):
        request = chats.question("Events?", stream=True)
        async with opened(client.chat.completions.with_streaming_response.create(**request)) as response:
            yield told(response)
            async for chunk in each(await settled(response.parse())):
                yield chunk.model_dump()

    call = stage.ask("events", stream_answer(STREAM), ask)
    call.expect_results(1 + len(CHUNKS))
    call.expect_report("chat", STREAMED, chunks=len(CHUNKS))


def a_streaming_response_whose_lines_are_read_is_reported(stage):
    async def ask(client):
        request = chats.question("Lines?", stream=True)
        async with opened(client.chat.completions.with_streaming_response.create(**request)) as response:
            async for line in each(response.iter_lines()):
                yield line

    call = stage.ask("lines", stream_answer(STREAM), ask)
    lines = b"".join(STREAM).decode().split("\n")
    # The last event ends in two line ends, after which nothing comes.
    call.expect("the lines", lines[:-1], lambda outcome: outcome.results)
    call.expect_report("chat", STREAMED, chunks=len(CHUNKS))


def result(place):
    return lambda outcome: outcome.results[place]


SCENARIOS = (
    a_raw_response_has_the_same_headers_and_is_reported,
    a_raw_response_that_is_streamed_is_reported,
    a_response_that_is_read_bit_by_bit_is_reported,
    a_response_that_is_parsed_in_the_end_is_reported,
    a_streaming_response_whose_events_are_parsed_is_reported,
    a_streaming_response_whose_lines_are_read_is_reported,
)
