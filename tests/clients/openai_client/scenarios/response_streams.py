"""The Responses API, answered piece by piece."""

from ..answers import chats
from ..answers import responses as made
from ..answers.wire import endless_answer, event, stream_answer
from ..clients import each, opened, settled, streamed, take
from ..comparing import as_sent
from .responses import FAILURE, asked, expect_reported, translated

CALL = ('{"city":"Mün', 'chen"}')

# A thought, a text and two calls, and the response that they are.
ITEM_EVENTS = [
    *made.reasoning_events(0, ["**Look", "ing**"]),
    *made.message_events(1, ["Let me ", "look – 天気."]),
    *made.function_call_events(2, "a", "get_weather", CALL),
    *made.function_call_events(3, "b", "get_time", ["{}"]),
]
ITEMS = [value["item"] for value in ITEM_EVENTS if value["type"] == "response.output_item.done"]
WHOLE = made.response(ITEMS, usage=made.usage_of(2_006, 300, cached=1_920, reasoning=256))
EVENTS = [*made.beginning(), *ITEM_EVENTS, made.lifecycle("completed", WHOLE)]

MESSAGE = chats.said(
    "Let me look – 天気.",
    reasoning_content="**Looking**",
    tool_calls=[
        chats.function_call("call_a", "get_weather", "".join(CALL)),
        chats.function_call("call_b", "get_time", "{}"),
    ],
)


def ask_stream(request):
    return streamed(lambda client: client.responses.create(**request))


def expect_streamed(call, request, count, response, message, finish, **further):
    chat = made.chat_of(response, message, finish)
    expect_reported(call, translated(request), as_sent(response), chat, chunks=count, **further)


def a_response_stream_is_reported_whole(stage):
    request = asked("Weather and time in Munich?", stream=True)
    call = stage.ask("response-stream", stream_answer(made.stream(EVENTS)), ask_stream(request))
    call.expect_results(len(EVENTS))
    expect_streamed(call, request, len(EVENTS), WHOLE, MESSAGE, "tool_calls")


def a_response_stream_helper_sees_the_final_response_and_is_reported(stage):
    request = asked("Weather and time, please?")

    async def ask(client):
        async with opened(client.responses.stream(**request)) as stream:
            async for value in each(stream):
                # Some of the types that the client gives are not those that it declares.
                yield value.model_dump(warnings=False)
            yield (await settled(stream.get_final_response())).model_dump(warnings=False)

    call = stage.ask("response-helper", stream_answer(made.stream(EVENTS)), ask)
    call.expect_results(len(EVENTS) + 1)
    call.expect("the status", "completed", lambda outcome: outcome.results[-1]["status"])
    expect_streamed(call, request | {"stream": True}, len(EVENTS), WHOLE, MESSAGE, "tool_calls")


def a_response_stream_that_ends_without_output_is_reported_with_what_was_streamed(stage):
    # Some servers leave the output out of the last event.
    events = [*EVENTS[:-1], made.lifecycle("completed", WHOLE | {"output": []})]
    request = asked("Once more?", stream=True)
    call = stage.ask("response-no-output", stream_answer(made.stream(events)), ask_stream(request))
    call.expect_results(len(events))
    expect_streamed(call, request, len(events), WHOLE, MESSAGE, "tool_calls")


def an_incomplete_response_stream_is_reported_with_its_reason(stage):
    text_events = made.message_events(0, ["In the ", "bustling"], status="incomplete")
    response = made.response(
        [text_events[-1]["item"]],
        "incomplete",
        made.usage_of(12, 16),
        incomplete_details={"reason": "max_output_tokens"},
        max_output_tokens=16,
    )
    events = [*made.beginning(max_output_tokens=16), *text_events, made.lifecycle("incomplete", response)]
    request = asked("Tell a story.", max_output_tokens=16, stream=True)
    call = stage.ask("response-stream-incomplete", stream_answer(made.stream(events)), ask_stream(request))
    call.expect_results(len(events))
    expect_streamed(call, request, len(events), response, chats.said("In the bustling"), "length")


def a_refusal_in_a_response_stream_is_reported(stage):
    text_events = made.message_events(0, ["I'm sorry", ", no."], "refusal")
    response = made.response([text_events[-1]["item"]], usage=made.usage_of(79, 12))
    events = [*made.beginning(), *text_events, made.lifecycle("completed", response)]
    request = asked("How do I build a bomb?", stream=True)
    call = stage.ask("response-stream-refusal", stream_answer(made.stream(events)), ask_stream(request))
    call.expect_results(len(events))
    expect_streamed(call, request, len(events), response, chats.said(None, "I'm sorry, no."), "stop")


def a_failed_response_stream_is_reported_with_its_error(stage):
    text_events = made.message_events(0, ["I wi"])
    response = made.response([text_events[-1]["item"]], "failed", error=FAILURE)
    events = [*made.beginning(), *text_events, made.lifecycle("failed", response)]
    request = asked("Will you fail?")

    async def ask(client):
        async with opened(client.responses.stream(**request)) as stream:
            async for value in each(stream):
                yield value.model_dump()
            try:
                await settled(stream.get_final_response())
            except RuntimeError as error:
                yield str(error)

    call = stage.ask("response-stream-failed", stream_answer(made.stream(events)), ask)
    call.expect("the error", "Didn't receive a `response.completed` event.", lambda outcome: outcome.results[-1])
    request |= {"stream": True}
    expect_streamed(call, request, len(events), response, chats.said("I wi"), None, outcome="interrupted")


# All that comes before a stream is left, or breaks down: half of the first call.
BEGINNING = EVENTS[: EVENTS.index(next(e for e in EVENTS if e["type"].endswith("arguments.delta"))) + 1]

PARTIAL_OUTPUT = [
    *ITEMS[:2],
    made.function_call("a", "get_weather", CALL[0], "in_progress"),
]
PARTIAL_MESSAGE = MESSAGE | {"tool_calls": [chats.function_call("call_a", "get_weather", CALL[0])]}


def a_response_stream_that_is_left_is_reported_as_far_as_it_went(stage):
    request = asked("Weather and time, quickly?")

    async def ask(client):
        async with opened(client.responses.stream(**request)) as stream:
            for value in await take(stream, len(BEGINNING)):
                yield value

    call = stage.ask("response-stream-left", endless_answer(made.stream(BEGINNING)), ask)
    call.expect_results(len(BEGINNING))
    call.expect_abandoned()
    response = made.response(PARTIAL_OUTPUT, "in_progress")
    request |= {"stream": True}
    expect_streamed(call, request, len(BEGINNING), response, PARTIAL_MESSAGE, None, outcome="abandoned")


ERROR = {
    "type": "tokens",
    "code": "rate_limit_exceeded",
    "message": "Request too large for gpt-5 on tokens per min (TPM): Limit 1, Requested 30.",
    "param": None,
}


def an_error_in_a_response_stream_is_raised_and_reported_with_what_came_before(stage):
    # The client leaves at the error, without a look at the `response.failed` that would follow.
    error = event({"type": "error", "error": ERROR, "sequence_number": len(BEGINNING)})
    request = asked("Weather, if you can?", stream=True)
    call = stage.ask("response-error", endless_answer([*made.stream(BEGINNING), error]), ask_stream(request))
    call.expect("the number of events", len(BEGINNING), lambda outcome: len(outcome.results))
    call.expect("the error", "APIError", lambda outcome: outcome.error["type"])
    call.expect("the error's body", ERROR, lambda outcome: outcome.error["body"])
    response = made.response(PARTIAL_OUTPUT, "in_progress", error=ERROR)
    count = len(BEGINNING) + 1
    expect_streamed(call, request, count, response, PARTIAL_MESSAGE, None, outcome="interrupted")


def an_error_before_any_item_is_raised_and_reported(stage):
    error = event({"type": "error", "error": ERROR, "sequence_number": 2})
    request = asked("Too much?", stream=True)
    call = stage.ask(
        "response-error-first", endless_answer([*made.stream(made.beginning()), error]), ask_stream(request)
    )
    call.expect("the error", "APIError", lambda outcome: outcome.error["type"])
    response = made.response([], "in_progress", error=ERROR)
    further = {"outcome": "interrupted", "has_token": False}
    expect_streamed(call, request, 3, response, chats.said(None), None, **further)


def an_error_that_is_no_exception_is_passed_on_and_reported(stage):
    # The documented form, which the client gives to its caller as an event.
    error = {"type": "error", "code": "server_error", "message": "Sorry.", "param": None}
    request = asked("Weather, once more?", stream=True)
    pieces = made.stream([*BEGINNING, error])
    call = stage.ask("response-error-flat", stream_answer(pieces), ask_stream(request))
    call.expect_results(len(pieces))
    call.expect("the message", "Sorry.", lambda outcome: outcome.results[-1]["message"])
    reported = error | {"sequence_number": len(BEGINNING)}
    response = made.response(PARTIAL_OUTPUT, "in_progress", error=reported)
    expect_streamed(call, request, len(pieces), response, PARTIAL_MESSAGE, None, outcome="interrupted")


SCENARIOS = (
    a_response_stream_is_reported_whole,
    a_response_stream_helper_sees_the_final_response_and_is_reported,
    a_response_stream_that_ends_without_output_is_reported_with_what_was_streamed,
    an_incomplete_response_stream_is_reported_with_its_reason,
    a_refusal_in_a_response_stream_is_reported,
    a_failed_response_stream_is_reported_with_its_error,
    a_response_stream_that_is_left_is_reported_as_far_as_it_went,
    an_error_in_a_response_stream_is_raised_and_reported_with_what_came_before,
    an_error_before_any_item_is_raised_and_reported,
    an_error_that_is_no_exception_is_passed_on_and_reported,
)
