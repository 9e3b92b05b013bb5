"""The Responses API, answered as a whole. It is reported as a chat, or verbatim where that is asked for."""

from pydantic import BaseModel

from ..answers import chats
from ..answers import responses as made
from ..answers.wire import json_answer, json_body
from ..clients import each, opened, settled, whole
from ..comparing import as_sent
from .refusals import expect_refused

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {}},
    "strict": False,
}


def ask_response(**request):
    return whole(lambda client: client.responses.create(**request))


def asked(text, **options):
    return {"model": "gpt-5", "instructions": "Be brief.", "input": text, **options}


def translated(request, *messages):
    """The question of a chat that a request is reported as."""
    chat = {name: value for name, value in request.items() if name not in ("instructions", "input")}
    told = {"role": "system", "content": request["instructions"]}
    return as_sent(chat | {"messages": [told, *(messages or [{"role": "user", "content": request["input"]}])]})


def expect_reported(call, request, response, chat, **further):
    """Expects a response as the chat that it is reported as, and verbatim."""
    call.expect_report("responses", as_sent(chat), request=request, verbatim=response, **further)


def a_response_is_reported_as_a_chat(stage):
    citation = {"type": "url_citation", "start_index": 0, "end_index": 2, "url": "https://x/y", "title": "Y"}
    logprobs = chats.logprobs_of("It")["content"]
    response = made.response(
        [
            made.reasoning("**Looking** it up", "Found it"),
            made.message(made.text("It is", [citation], logprobs), made.text(" mild."), made.refusal("Not more.")),
            {
                "id": "ws_1",
                "type": "web_search_call",
                "status": "completed",
                "action": {"type": "search", "query": "w"},
            },
            made.function_call("a", "get_weather", '{"city":"München"}'),
            made.function_call("b", "get_weather", '{"city":"Köln"}'),
        ],
        usage=made.usage_of(2_006, 300, cached=1_920, reasoning=256),
    )
    body = json_body(response)
    request = asked(
        [
            {"role": "user", "content": "Weather?"},
            {"role": "user", "content": [{"type": "input_text", "text": "In"}, {"type": "input_text", "text": "Köln"}]},
            {"type": "function_call", "call_id": "call_0", "name": "get_weather", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_0", "output": "say where"},
        ],
        tools=[WEATHER],
        reasoning={"effort": "low", "summary": "detailed"},
    )
    call = stage.ask("response", json_answer(body), ask_response(**request))
    call.expect("the items", 5, lambda outcome: len(outcome.results[0]["output"]))
    message = {
        **chats.said("It is mild.", "Not more."),
        "reasoning_content": "**Looking** it up\n\nFound it",
        "tool_calls": [
            {"id": "ws_1", "type": "web_search_call", "web_search_call": response["output"][2]},
            chats.function_call("call_a", "get_weather", '{"city":"München"}'),
            chats.function_call("call_b", "get_weather", '{"city":"Köln"}'),
        ],
        "annotations": [citation],
    }
    chat = made.chat_of(response, message, "tool_calls", logprobs={"content": logprobs})
    question = translated(
        request,
        {"role": "user", "content": "Weather?"},
        {"role": "user", "content": [{"type": "text", "text": "In"}, {"type": "text", "text": "Köln"}]},
        {"role": "assistant", "content": None, "tool_calls": [chats.function_call("call_0", "get_weather", "{}")]},
        {"role": "tool", "content": "say where", "tool_call_id": "call_0"},
    )
    expect_reported(call, question, body, chat)


def an_incomplete_response_is_reported_with_its_reason(stage):
    response = made.response(
        [made.message(made.text("In the bustling city of"), status="incomplete")],
        "incomplete",
        made.usage_of(12, 16),
        incomplete_details={"reason": "max_output_tokens"},
        max_output_tokens=16,
    )
    body, request = json_body(response), asked("Tell a story.", max_output_tokens=16)
    call = stage.ask("response-incomplete", json_answer(body), ask_response(**request))
    call.expect("the status", "incomplete", lambda outcome: outcome.results[0]["status"])
    chat = made.chat_of(response, chats.said("In the bustling city of"), "length")
    expect_reported(call, translated(request), body, chat)


FAILURE = {"code": "server_error", "message": "The model failed to generate a response."}


def a_failed_response_is_reported_with_its_error(stage):
    response = made.response([], "failed", error=FAILURE)
    body, request = json_body(response), asked("Will you fail?")
    call = stage.ask("response-failed", json_answer(body), ask_response(**request))
    call.expect("the status", "failed", lambda outcome: outcome.results[0]["status"])
    chat = made.chat_of(response, chats.said(None), None)
    expect_reported(call, translated(request), body, chat, outcome="refused")


class Weather(BaseModel):
    celsius: int


def a_parsed_response_is_reported(stage):
    response = made.response([made.message(made.text('{"celsius":21}'))], usage=made.usage_of(60, 9))
    body, request = json_body(response), asked("How warm?")

    async def ask(client):
        parsed = await settled(client.responses.parse(**request, text_format=Weather))
        yield parsed.output_parsed.model_dump()

    call = stage.ask("response-parsed", json_answer(body), ask)
    call.expect_results(1)
    schema = {**Weather.model_json_schema(), "additionalProperties": False}
    given = {"format": {"type": "json_schema", "strict": True, "name": "Weather", "schema": schema}}
    question = translated(request) | {"text": given}
    expect_reported(call, question, body, made.chat_of(response, chats.said('{"celsius":21}'), "stop"))


def a_response_that_is_read_bit_by_bit_is_reported_as_a_chat(stage):
    response = made.response([made.message(made.text("Hellö."))], usage=made.usage_of(3, 1))
    body, request = json_body(response), asked("Bit by bit?")

    async def ask(client):
        async with opened(client.responses.with_streaming_response.create(**request)) as response:
            yield b"".join([piece async for piece in each(response.iter_bytes())])

    call = stage.ask("response-bits", json_answer(body), ask)
    call.expect("the bytes", body, lambda outcome: outcome.results[0])
    expect_reported(call, translated(request), body, made.chat_of(response, chats.said("Hellö."), "stop"))


def a_refused_response_raises_the_same_error(stage):
    expect_refused(stage, "response-refused", ask_response(**asked("Be too hot.", temperature=3)), "responses")


SCENARIOS = (
    a_response_is_reported_as_a_chat,
    an_incomplete_response_is_reported_with_its_reason,
    a_failed_response_is_reported_with_its_error,
    a_parsed_response_is_reported,
    a_response_that_is_read_bit_by_bit_is_reported_as_a_chat,
    a_refused_response_raises_the_same_error,
)
