"""Chats of Cohere, of both versions, and its generations."""

import cohere
import httpx
from cohere.core.api_error import ApiError
from openai_client.answers.chats import tool
from openai_client.answers.wire import DONE, endless_answer, event, json_body, stream_answer, whole_answer
from openai_client.callers import API_KEY
from openai_client.servers import PATIENCE

from ..answers import line, take
from ..stage import Provider

MODEL = "command-a-03-2025"
WITHOUT_RETRIES = {"max_retries": 0}


class Clients:
    """The client of each version of the API."""

    def __init__(self, base, headers):
        options = {
            "api_key": API_KEY,
            "base_url": base,
            "httpx_client": httpx.Client(headers=headers, timeout=PATIENCE),
            "log_warning_experimental_features": False,
        }
        self.v1 = cohere.Client(**options)
        self.v2 = cohere.ClientV2(**options)


REQUEST_ID = "7c2e"

PROVIDER = Provider(
    name="COHERE",
    format="cohere",
    version="2.1.0",
    client=Clients,
    errors=(ApiError,),
    request_id=REQUEST_ID,
)

JSON_HEADERS = {"content-type": "application/json", "x-debug-trace-id": REQUEST_ID, "num_tokens": "12"}
EVENT_HEADERS = JSON_HEADERS | {"content-type": "text/event-stream"}
LINE_HEADERS = JSON_HEADERS | {"content-type": "application/stream+json"}


# --- Version 2 -------------------------------------------------------------------------------------------------------


def question(text, **options):
    messages = [{"role": "system", "content": "Be brief – and “kind”."}, {"role": "user", "content": text}]
    return {"model": MODEL, "messages": messages, "request_options": WITHOUT_RETRIES, **options}


def beginning():
    empty = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    return {"id": "41ef7910", "type": "message-start", "delta": {"message": empty}}


def piece(kind, message, index=None):
    place = {} if index is None else {"index": index}
    return {"type": kind} | place | {"delta": {"message": message}}


def text(*pieces):
    yield piece("content-start", {"content": {"type": "text", "text": ""}}, 0)
    for text in pieces:
        yield piece("content-delta", {"content": {"text": text}}, 0)


def ending(reason, output_tokens):
    return {"type": "message-end", "delta": {"finish_reason": reason, "usage": usage(output_tokens)}}


def usage(output_tokens):
    tokens = {"input_tokens": 9, "output_tokens": output_tokens}
    return {"billed_units": tokens, "tokens": tokens}


def answer_of(message, **further):
    return {"id": "41ef7910", "message": {"role": "assistant"} | message} | further


BEGUN = [beginning(), *text("Hello, ", "wörld 天")]
SAID = {"content": [{"type": "text", "text": "Hello, wörld 天"}]}


def ask_stream(**request):
    def ask(client):
        for piece in client.v2.chat_stream(**request):
            yield piece.dict()

    return ask


def a_chat_of_cohere_is_passed_on_and_reported(stage):
    # Spellings, fields and an order that no client library would write.
    body = (
        '{"usage":{"tokens":{"output_tokens":3,"input_tokens":9}},"id":"41ef","vendor":{"cost":1.50E-3},"message":'
        '{"content":[{"text":"Hello \\ud83d\\ude00 wörld","type":"text"}],"role":"assistant"},'
        '"finish_reason":"COMPLETE"}'
    ).encode()

    def ask(client):
        yield client.v2.chat(**question("Say hello.", temperature=0.1)).message.content[0].text

    call = stage.ask(PROVIDER, "chat", whole_answer(body, JSON_HEADERS), ask)
    call.expect_results(1)
    call.expect_last("Hello 😀 wörld")
    call.expect_report("cohere-chat", body)


def a_streamed_chat_of_cohere_is_reported_whole(stage):
    events = [*BEGUN, {"type": "content-end", "index": 0}, ending("COMPLETE", 5)]
    answer = stream_answer([*map(event, events), DONE], EVENT_HEADERS)
    call = stage.ask(PROVIDER, "stream", answer, ask_stream(**question("Say hello.")))
    call.expect_results(len(events))
    whole = answer_of(SAID, finish_reason="COMPLETE", usage=usage(5))
    call.expect_report("cohere-chat", whole, chunks=len(events))


def a_streamed_tool_call_of_cohere_is_reported_whole(stage):
    function = {"name": "get_weather", "arguments": ""}
    called = {"id": "get_weather_01", "type": "function", "function": function}
    events = [
        beginning(),
        piece("tool-plan-delta", {"tool_plan": "I will "}),
        piece("tool-plan-delta", {"tool_plan": "look."}),
        piece("tool-call-start", {"tool_calls": called}, 0),
        piece("tool-call-delta", {"tool_calls": {"function": {"arguments": '{"city": "Mün'}}}, 0),
        piece("tool-call-delta", {"tool_calls": {"function": {"arguments": 'chen"}'}}}, 0),
        {"type": "tool-call-end", "index": 0},
        ending("TOOL_CALL", 40),
    ]
    answer = stream_answer([*map(event, events), DONE], EVENT_HEADERS)
    ask = ask_stream(**question("Weather in Munich?", tools=[tool("get_weather")]))
    call = stage.ask(PROVIDER, "tool", answer, ask)
    call.expect_results(len(events))
    whole_call = called | {"function": function | {"arguments": '{"city": "München"}'}}
    message = {"tool_plan": "I will look.", "tool_calls": [whole_call]}
    whole = answer_of(message, finish_reason="TOOL_CALL", usage=usage(40))
    call.expect_report("cohere-chat", whole, chunks=len(events))


def a_refusal_of_cohere_raises_the_same_error(stage):
    body = json_body({"id": "41ef7910", "message": "temperature must be ≤ 1"})
    ask = ask_stream(**question("Be too hot.", temperature=3))
    call = stage.ask(PROVIDER, "refused", whole_answer(body, JSON_HEADERS, 400), ask)
    call.expect_error("BadRequestError", status_code=400)
    call.expect_report("cohere-chat", body, outcome="refused", status=400)


def a_stream_of_cohere_that_is_closed_is_reported_as_far_as_it_went(stage):
    def ask(client):
        for piece in take(client.v2.chat_stream(**question("Tell me everything.")), len(BEGUN)):
            yield piece.dict()

    call = stage.ask(PROVIDER, "closed", endless_answer(map(event, BEGUN), EVENT_HEADERS), ask)
    call.expect_results(len(BEGUN))
    call.expect_abandoned()
    call.expect_report("cohere-chat", answer_of(SAID), chunks=len(BEGUN), outcome="abandoned")


# --- Version 1 -------------------------------------------------------------------------------------------------------


def first_version(kind, is_finished=False, **further):
    return {"is_finished": is_finished, "event_type": kind} | further


def a_streamed_chat_of_cohere_v1_is_reported_whole(stage):
    history = [{"role": "USER", "message": "Say hello."}, {"role": "CHATBOT", "message": "Hello, wörld 天"}]
    response = {
        "response_id": "12c00d26",
        "text": "Hello, wörld 天",
        "generation_id": "a7cd9d01",
        "chat_history": history,
        "finish_reason": "COMPLETE",
        "meta": {"api_version": {"version": "1"}} | usage(5),
    }
    lines = [
        first_version("stream-start", generation_id="a7cd9d01"),
        first_version("text-generation", text="Hello, "),
        first_version("text-generation", text="wörld 天"),
        first_version("stream-end", True, response=response, finish_reason="COMPLETE"),
    ]

    def ask(client):
        request = {"model": MODEL, "message": "Say hello.", "request_options": WITHOUT_RETRIES}
        for piece in client.v1.chat_stream(**request):
            yield piece.dict()

    call = stage.ask(PROVIDER, "chat-v1", stream_answer(map(line, lines), LINE_HEADERS), ask)
    call.expect_results(len(lines))
    call.expect_report("cohere-chat-v1", response, chunks=len(lines))


def a_streamed_generation_of_cohere_is_reported_whole(stage):
    generation = {"id": "ff39b95c", "text": "Hello, wörld 天", "finish_reason": "COMPLETE"}
    response = {"id": "1ce1192a", "generations": [generation], "prompt": "Say hello."}
    lines = [
        first_version("text-generation", text="Hello, "),
        first_version("text-generation", text="wörld 天"),
        first_version("stream-end", True, response=response, finish_reason="COMPLETE"),
    ]

    def ask(client):
        request = {"model": "command", "prompt": "Say hello.", "request_options": WITHOUT_RETRIES}
        for piece in client.v1.generate_stream(**request):
            yield piece.dict()

    call = stage.ask(PROVIDER, "generate", stream_answer(map(line, lines), LINE_HEADERS), ask)
    call.expect_results(len(lines))
    call.expect_report("cohere-generate", response, kind="generate", chunks=len(lines))


SCENARIOS = (
    a_chat_of_cohere_is_passed_on_and_reported,
    a_streamed_chat_of_cohere_is_reported_whole,
    a_streamed_tool_call_of_cohere_is_reported_whole,
    a_refusal_of_cohere_raises_the_same_error,
    a_stream_of_cohere_that_is_closed_is_reported_as_far_as_it_went,
    a_streamed_chat_of_cohere_v1_is_reported_whole,
    a_streamed_generation_of_cohere_is_reported_whole,
)
