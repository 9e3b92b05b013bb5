"""Messages of Anthropic."""

import anthropic
from openai_client.answers.wire import endless_answer, event, json_body, stream_answer, whole_answer
from openai_client.callers import API_KEY
from openai_client.servers import PATIENCE

from ..answers import take
from ..stage import Provider


def client(base, headers):
    return anthropic.Anthropic(
        api_key=API_KEY, base_url=base, default_headers=headers, max_retries=0, timeout=PATIENCE
    )


REQUEST_ID = "req_7c2e"

PROVIDER = Provider(
    name="ANTHROPIC",
    format="anthropic",
    version="3.0.0",
    client=client,
    errors=(anthropic.APIError,),
    request_id=REQUEST_ID,
)

JSON_HEADERS = {
    "content-type": "application/json",
    "request-id": REQUEST_ID,
    "anthropic-organization-id": "org-of-the-check",
}
STREAM_HEADERS = JSON_HEADERS | {"content-type": "text/event-stream; charset=utf-8"}

TOOLS = [
    {
        "name": "get_weather",
        "description": "Tells the weather.",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
]


def question(text, **options):
    return {
        "model": "claude-sonnet-4-5",
        "max_tokens": 1024,
        "system": "Be brief – and “kind”.",
        "messages": [{"role": "user", "content": text}],
        **options,
    }


def message(content, stop_reason, output_tokens):
    usage = {"input_tokens": 12, "cache_read_input_tokens": 4, "output_tokens": output_tokens}
    return {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": usage,
    }


def beginning():
    return {"type": "message_start", "message": message([], None, 1)}


def block(index, start, deltas):
    """A block that begins with something and is filled piece by piece. It has no end yet."""
    begun = {"type": "content_block_start", "index": index, "content_block": start}
    return [begun, *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas)]


def text(index, *pieces):
    return block(index, {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces])


def stopped(index):
    return {"type": "content_block_stop", "index": index}


def ending(stop_reason, output_tokens):
    delta = {"stop_reason": stop_reason, "stop_sequence": None}
    return [
        {"type": "message_delta", "delta": delta, "usage": {"output_tokens": output_tokens}},
        {"type": "message_stop"},
    ]


PING = {"type": "ping"}

# What has come of a text before its end.
BEGUN = [beginning(), PING, *text(0, "Hello, ", "wörld 天")]
BEGUN_MESSAGE = message([{"type": "text", "text": "Hello, wörld 天"}], None, 1)


def ask_stream(**request):
    def ask(client):
        for piece in client.messages.create(**request, stream=True):
            yield piece.model_dump()

    return ask


def a_message_of_anthropic_is_passed_on_and_reported(stage):
    # Spellings, fields and an order that no client library would write.
    body = (
        '{"usage":{"output_tokens":3,"input_tokens":9},"id":"msg_00","vendor":{"cost":1.50E-3},"type":"message",'
        '"role":"assistant","model":"claude-sonnet-4-5-20250929","content":[{"type":"text","text":"Hello \\ud83d\\ude00'
        ' wörld"}],"stop_reason":"end_turn","stop_sequence":null}'
    ).encode()

    def ask(client):
        yield client.messages.create(**question("Say hello.", metadata={"user_id": "7"})).content[0].text

    call = stage.ask(PROVIDER, "message", whole_answer(body, JSON_HEADERS), ask)
    call.expect_results(1)
    call.expect_last("Hello 😀 wörld")
    call.expect_report("anthropic-messages", body)


def a_streamed_message_of_anthropic_is_reported_whole(stage):
    events = [*BEGUN, stopped(0), *ending("end_turn", 5)]
    ask = ask_stream(**question("Say hello."))
    call = stage.ask(PROVIDER, "stream", stream_answer(map(event, events), STREAM_HEADERS), ask)
    # The client keeps pings to itself.
    call.expect_results(len(events) - 1)
    whole = message([{"type": "text", "text": "Hello, wörld 天"}], "end_turn", 5)
    call.expect_report("anthropic-messages", whole, chunks=len(events))


def a_streamed_tool_call_of_anthropic_is_reported_whole(stage):
    thought = {"type": "thinking", "thinking": "", "signature": ""}
    thinking = [
        {"type": "thinking_delta", "thinking": "The weather "},
        {"type": "thinking_delta", "thinking": "is asked."},
        {"type": "signature_delta", "signature": "EqQBCgIYAhIM"},
    ]
    tool = {"type": "tool_use", "id": "toolu_01", "name": "get_weather", "input": {}}
    pieces = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", '{"city": "Mün', 'chen"}')]
    events = [
        beginning(),
        *block(0, thought, thinking),
        stopped(0),
        *text(1, "Let me look."),
        stopped(1),
        *block(2, tool, pieces),
        stopped(2),
        *ending("tool_use", 40),
    ]

    def ask(client):
        request = question("Weather in Munich?", tools=TOOLS, thinking={"type": "enabled", "budget_tokens": 1024})
        with client.messages.stream(**request) as stream:
            yield from (piece.type for piece in stream)
            yield stream.get_final_message().model_dump()

    call = stage.ask(PROVIDER, "tool", stream_answer(map(event, events), STREAM_HEADERS), ask)
    content = [
        {"type": "thinking", "thinking": "The weather is asked.", "signature": "EqQBCgIYAhIM"},
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "id": "toolu_01", "name": "get_weather", "input": {"city": "München"}},
    ]
    whole = message(content, "tool_use", 40)
    call.expect_last(whole)
    call.expect_report("anthropic-messages", whole, chunks=len(events))


def a_refusal_of_anthropic_raises_the_same_error(stage):
    error = {"type": "invalid_request_error", "message": "max_tokens: must be ≥ 1"}
    body = json_body({"type": "error", "error": error, "request_id": REQUEST_ID})
    ask = ask_stream(**question("Say nothing.", max_tokens=0))
    call = stage.ask(PROVIDER, "refused", whole_answer(body, JSON_HEADERS, 400), ask)
    call.expect_error("BadRequestError", status_code=400, request_id=REQUEST_ID)
    call.expect_report("anthropic-messages", body, outcome="refused", status=400)


def an_error_in_a_stream_of_anthropic_is_raised_and_reported_with_what_came_before(stage):
    error = {"type": "overloaded_error", "message": "Overloaded", "details": None}
    events = [*BEGUN, {"type": "error", "error": error}]
    ask = ask_stream(**question("Will you err?"))
    call = stage.ask(PROVIDER, "error", stream_answer(map(event, events), STREAM_HEADERS), ask)
    call.expect_error("APIStatusError", results=len(BEGUN) - 1)
    whole = BEGUN_MESSAGE | {"error": error}
    call.expect_report("anthropic-messages", whole, chunks=len(events), outcome="interrupted")


def a_stream_of_anthropic_that_is_closed_is_reported_as_far_as_it_went(stage):
    def ask(client):
        stream = client.messages.create(**question("Tell me everything."), stream=True)
        for piece in take(stream, len(BEGUN) - 1):
            yield piece.model_dump()

    call = stage.ask(PROVIDER, "closed", endless_answer(map(event, BEGUN), STREAM_HEADERS), ask)
    call.expect_results(len(BEGUN) - 1)
    call.expect_abandoned()
    call.expect_report("anthropic-messages", BEGUN_MESSAGE, chunks=len(BEGUN), outcome="abandoned")


SCENARIOS = (
    a_message_of_anthropic_is_passed_on_and_reported,
    a_streamed_message_of_anthropic_is_reported_whole,
    a_streamed_tool_call_of_anthropic_is_reported_whole,
    a_refusal_of_anthropic_raises_the_same_error,
    an_error_in_a_stream_of_anthropic_is_raised_and_reported_with_what_came_before,
    a_stream_of_anthropic_that_is_closed_is_reported_as_far_as_it_went,
)
