"""Chats of Mistral."""

import httpx2
from mistralai.client import Mistral, errors
from openai_client.answers.chats import tool
from openai_client.answers.wire import DONE, data, endless_answer, json_body, stream_answer, whole_answer
from openai_client.callers import API_KEY
from openai_client.servers import PATIENCE

from ..answers import take
from ..stage import Provider


def client(base, headers):
    return Mistral(api_key=API_KEY, server_url=base, client=httpx2.Client(headers=headers, timeout=PATIENCE))


REQUEST_ID = "019a"

PROVIDER = Provider(
    name="MISTRAL",
    format="mistral",
    version="2.4.0",
    client=client,
    errors=(errors.MistralError,),
    request_id=REQUEST_ID,
    prefix="/mistral",
)

MODEL = "mistral-large-latest"
JSON_HEADERS = {"content-type": "application/json", "mistral-correlation-id": REQUEST_ID, "x-kong-request-id": "5f0c"}
STREAM_HEADERS = JSON_HEADERS | {"content-type": "text/event-stream; charset=utf-8"}


def question(text, **options):
    messages = [{"role": "system", "content": "Be brief – and “kind”."}, {"role": "user", "content": text}]
    return {"model": MODEL, "messages": messages, **options}


def chunk(delta, finish=None, **further):
    head = {"id": "cmpl-BQ1", "object": "chat.completion.chunk", "created": 1741569952, "model": MODEL}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    # Chunks are padded, so that nobody can guess texts from packet lengths.
    return head | {"choices": [choice]} | further | {"p": "abcdefghijklmnop"}


def chat(message, finish=None, **further):
    head = {"id": "cmpl-BQ1", "object": "chat.completion", "created": 1741569952, "model": MODEL}
    choice = {"index": 0, "message": {"role": "assistant"} | message, "finish_reason": finish}
    return head | {"choices": [choice]} | further


def usage(output_tokens):
    counts = {"prompt_tokens": 9, "completion_tokens": output_tokens, "total_tokens": 9 + output_tokens}
    return {"usage": counts}


BEGUN = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Hello, "}),
    chunk({"content": "wörld 天"}),
]
SAID = {"content": "Hello, wörld 天"}


def ask_stream(**request):
    def ask(client):
        for piece in client.chat.stream(**request):
            yield piece.model_dump()

    return ask


def a_chat_of_mistral_is_passed_on_and_reported(stage):
    # Spellings, fields and an order that no client library would write.
    body = (
        '{"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12},"id":"cmpl-0","vendor":{"cost":1.50E-3},'
        '"object":"chat.completion","created":1741569952,"model":"mistral-large-latest","choices":[{"index":0,'
        '"message":{"content":"Hello \\ud83d\\ude00 wörld","role":"assistant"},"finish_reason":"stop"}]}'
    ).encode()

    def ask(client):
        answer = client.chat.complete(**question("Say hello.", temperature=0.1, random_seed=7))
        yield answer.choices[0].message.content

    call = stage.ask(PROVIDER, "chat", whole_answer(body, JSON_HEADERS), ask)
    call.expect_results(1)
    call.expect_last("Hello 😀 wörld")
    call.expect_report("mistral-chat", body)


def a_streamed_chat_of_mistral_is_reported_whole(stage):
    chunks = [*BEGUN, chunk({"content": ""}, "stop", **usage(5))]
    answer = stream_answer([*map(data, chunks), DONE], STREAM_HEADERS)
    call = stage.ask(PROVIDER, "stream", answer, ask_stream(**question("Say hello.")))
    call.expect_results(len(chunks))
    call.expect_report("mistral-chat", chat(SAID, "stop", **usage(5)), chunks=len(chunks))


def a_streamed_thought_and_tool_calls_of_mistral_are_reported_whole(stage):
    def thought(text):
        return {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]}

    def called(id, city):
        # Whole, and without an index.
        return {"id": id, "function": {"name": "get_weather", "arguments": f'{{"city": "{city}"}}'}}

    calls = [called("D681PevKs", "München"), called("M7tnvYhHE", "Ulm")]
    chunks = [
        chunk({"role": "assistant", "content": ""}),
        chunk(thought("Two cities "), None),
        chunk(thought("are asked."), None),
        chunk({"content": "Let me look."}),
        chunk({"content": "", "tool_calls": calls}, "tool_calls", **usage(40)),
    ]
    answer = stream_answer([*map(data, chunks), DONE], STREAM_HEADERS)
    ask = ask_stream(**question("Weather in Munich and Ulm?", tools=[tool("get_weather")]))
    call = stage.ask(PROVIDER, "tool", answer, ask)
    call.expect_results(len(chunks))
    content = [*thought("Two cities are asked.")["content"], {"type": "text", "text": "Let me look."}]
    whole = chat({"content": content, "tool_calls": calls}, "tool_calls", **usage(40))
    call.expect_report("mistral-chat", whole, chunks=len(chunks))


def a_refusal_of_mistral_raises_the_same_error(stage):
    error = {"object": "error", "message": "temperature must be ≤ 1.5", "type": "invalid_request_error", "code": "1500"}
    body = json_body(error)
    ask = ask_stream(**question("Be too hot.", temperature=3))
    call = stage.ask(PROVIDER, "refused", whole_answer(body, JSON_HEADERS, 400), ask)
    call.expect_error("SDKError", status_code=400, body=body.decode())
    call.expect_report("mistral-chat", body, outcome="refused", status=400)


def a_stream_of_mistral_that_is_closed_is_reported_as_far_as_it_went(stage):
    def ask(client):
        for piece in take(client.chat.stream(**question("Tell me everything.")), len(BEGUN)):
            yield piece.model_dump()

    call = stage.ask(PROVIDER, "closed", endless_answer(map(data, BEGUN), STREAM_HEADERS), ask)
    call.expect_results(len(BEGUN))
    call.expect_abandoned()
    call.expect_report("mistral-chat", chat(SAID), chunks=len(BEGUN), outcome="abandoned")


SCENARIOS = (
    a_chat_of_mistral_is_passed_on_and_reported,
    a_streamed_chat_of_mistral_is_reported_whole,
    a_streamed_thought_and_tool_calls_of_mistral_are_reported_whole,
    a_refusal_of_mistral_raises_the_same_error,
    a_stream_of_mistral_that_is_closed_is_reported_as_far_as_it_went,
)
