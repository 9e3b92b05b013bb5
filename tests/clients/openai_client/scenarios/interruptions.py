"""Streams that end before they should."""

import asyncio
import threading

from ..answers import chats
from ..answers.wire import DONE, STREAM_HEADERS, data, endless_answer, stream_answer
from ..clients import ASYNC, each, opened, settled, take
from ..comparing import as_sent, expect
from ..servers import PATIENCE
from .chat_streams import ask_stream, call_piece

# All that comes before they end.
CHUNKS = chats.chunks(
    [
        *chats.content("First, ", "second"),
        call_piece(0, "", id="call_1", type="function", name="go_on"),
        call_piece(0, '{"to": "thi'),
    ]
)

PARTIAL = chats.assembled(
    [(chats.said("First, second", tool_calls=[chats.function_call("call_1", "go_on", '{"to": "thi')]), None)]
)


async def stream_of(client, question):
    return await settled(client.chat.completions.create(**chats.question(question), stream=True))


def expect_left(stage, name, ask):
    call = stage.ask(name, endless_answer(map(data, CHUNKS)), ask)
    call.expect_results(len(CHUNKS))
    call.expect_abandoned()
    call.expect_report("chat", as_sent(PARTIAL), chunks=len(CHUNKS), outcome="abandoned")


def a_stream_that_is_closed_is_reported_as_far_as_it_went(stage):
    async def ask(client):
        stream = await stream_of(client, "Tell me everything.")
        for piece in await take(stream, len(CHUNKS)):
            yield piece
        await settled(stream.close())

    expect_left(stage, "closed", ask)


def a_stream_whose_block_is_left_is_reported_as_far_as_it_went(stage):
    async def ask(client):
        async with opened(await stream_of(client, "Tell me all.")) as stream:
            for piece in await take(stream, len(CHUNKS)):
                yield piece

    expect_left(stage, "block-left", ask)


def a_streaming_response_that_is_left_is_reported_as_far_as_it_went(stage):
    async def ask(client):
        request = chats.question("Tell me more.", stream=True)
        async with opened(client.chat.completions.with_streaming_response.create(**request)) as response:
            for piece in await take(await settled(response.parse()), len(CHUNKS)):
                yield piece

    expect_left(stage, "response-left", ask)


def a_stream_that_is_cut_is_cut_for_the_client(stage):
    seen = threading.Semaphore(0)

    def cut(exchange):
        exchange.begin_stream(STREAM_HEADERS)
        for chunk in CHUNKS:
            exchange.send_piece(data(chunk))
            # A server may discard what it has not written yet when its stream breaks, so the client has it before.
            expect(seen.acquire(timeout=PATIENCE / 2), "the client does not see a chunk")
        exchange.break_off()

    async def ask(client):
        async for chunk in each(await stream_of(client, "Will you fail?")):
            seen.release()
            yield chunk.model_dump()

    call = stage.ask("cut", cut, ask)
    call.expect("the number of chunks", len(CHUNKS), lambda outcome: len(outcome.results))
    call.expect("the error", "APIConnectionError", lambda outcome: outcome.error["type"])
    # It was answered in part, and that is reported.
    call.expect_report("chat", as_sent(PARTIAL), chunks=len(CHUNKS), outcome="interrupted")


def a_call_that_is_cancelled_before_its_answer_is_reported_as_abandoned(stage):
    asked = threading.Semaphore(0)

    def silent(exchange):
        asked.release()
        exchange.wait_until_abandoned()

    async def ask(client):
        call = asyncio.create_task(client.chat.completions.create(**chats.question("Are you there?")))
        expect(await asyncio.to_thread(asked.acquire, timeout=PATIENCE), "the upstream was not asked")
        call.cancel()
        try:
            yield await call
        except asyncio.CancelledError:
            yield "cancelled"

    # The client that blocks cannot be cancelled.
    call = stage.ask("cancelled", silent, ask, [ASYNC])
    call.expect("the result", ["cancelled"], lambda outcome: outcome.results)
    call.expect_abandoned()
    call.expect_report("chat", {"choices": []}, outcome="abandoned", status=None)


ERROR = {
    "message": "The server had an error while processing your request. Sorry about that!",
    "type": "server_error",
    "param": None,
    "code": None,
}


def expect_failing(stage, name, events):
    call = stage.ask(name, stream_answer(events), ask_stream(**chats.question("Will you err?")))
    call.expect("the number of chunks", len(CHUNKS), lambda outcome: len(outcome.results))
    call.expect("the error", "APIError", lambda outcome: outcome.error["type"])
    call.expect("the error's body", ERROR, lambda outcome: outcome.error["body"])
    whole = PARTIAL | {"error": ERROR}
    call.expect_report("chat", as_sent(whole), chunks=len(CHUNKS) + 1, outcome="interrupted")


def an_error_among_the_data_is_raised_and_reported_with_what_came_before(stage):
    expect_failing(stage, "error", [*map(data, CHUNKS), data({"error": ERROR}), DONE])


def an_error_event_is_raised_and_reported_with_what_came_before(stage):
    # The way of Groq.
    expect_failing(stage, "error-event", [*map(data, CHUNKS), b"event: error\n" + data({"error": ERROR})])


SCENARIOS = (
    a_stream_that_is_closed_is_reported_as_far_as_it_went,
    a_stream_whose_block_is_left_is_reported_as_far_as_it_went,
    a_streaming_response_that_is_left_is_reported_as_far_as_it_went,
    a_stream_that_is_cut_is_cut_for_the_client,
    a_call_that_is_cancelled_before_its_answer_is_reported_as_abandoned,
    an_error_among_the_data_is_raised_and_reported_with_what_came_before,
    an_error_event_is_raised_and_reported_with_what_came_before,
)
