"""Chats and generations of Ollama."""

import ollama
from openai_client.answers.chats import tool
from openai_client.answers.wire import endless_answer, json_body, stream_answer, whole_answer
from openai_client.callers import API_KEY
from openai_client.servers import PATIENCE

from ..answers import line, take
from ..stage import Provider


def client(base, headers):
    # A server of one's own needs no key, ollama.com does.
    key = {"authorization": f"Bearer {API_KEY}"}
    return ollama.Client(base, headers=headers | key, timeout=PATIENCE)


PROVIDER = Provider(
    name="OLLAMA",
    format="universal",
    version="3.1.0",
    client=client,
    errors=(ollama.RequestError, ollama.ResponseError),
    prefix="/ollama",
)

MODEL = "gemma3:1b"
JSON_HEADERS = {"content-type": "application/json; charset=utf-8"}
STREAM_HEADERS = {"content-type": "application/x-ndjson"}


def question(text, **options):
    messages = [{"role": "system", "content": "Be brief – and “kind”."}, {"role": "user", "content": text}]
    return {"model": MODEL, "messages": messages, **options}


def head(second):
    return {"model": MODEL, "created_at": f"2025-08-20T13:48:{second:02}.164615Z"}


def piece(second, **message):
    return head(second) | {"message": {"role": "assistant", "content": ""} | message, "done": False}


def ending(reason, output_tokens):
    counts = {"total_duration": 190084083, "load_duration": 40691625, "prompt_eval_count": 16}
    counts |= {"prompt_eval_duration": 40168500, "eval_count": output_tokens, "eval_duration": 108922125}
    return {"done": True, "done_reason": reason} | counts


BEGUN = [piece(1, content="Hello, "), piece(2, content="wörld 天")]
SAID = piece(2, content="Hello, wörld 天")


def ask_stream(**request):
    def ask(client):
        for piece in client.chat(**request, stream=True):
            yield piece.model_dump()

    return ask


def a_chat_of_ollama_is_passed_on_and_reported(stage):
    # Spellings, fields and an order that no client library would write.
    body = (
        '{"done":true,"done_reason":"stop","vendor":{"cost":1.50E-3},"message":{"content":"Hello \\ud83d\\ude00 wörld",'
        '"role":"assistant"},"model":"gemma3:1b","created_at":"2025-08-20T13:48:22.164615Z","eval_count":3}'
    ).encode()

    def ask(client):
        yield client.chat(**question("Say hello.", options={"temperature": 0.1})).message.content

    call = stage.ask(PROVIDER, "chat", whole_answer(body, JSON_HEADERS), ask)
    call.expect_results(1)
    call.expect_last("Hello 😀 wörld")
    call.expect_report("ollama-chat", body)


def a_streamed_chat_of_ollama_is_reported_whole(stage):
    lines = [*BEGUN, piece(3) | ending("stop", 5)]
    answer = stream_answer(map(line, lines), STREAM_HEADERS)
    call = stage.ask(PROVIDER, "stream", answer, ask_stream(**question("Say hello.")))
    call.expect_results(len(lines))
    whole = piece(3, content="Hello, wörld 天") | ending("stop", 5)
    call.expect_report("ollama-chat", whole, chunks=len(lines))


def a_streamed_tool_call_of_ollama_is_reported_whole(stage):
    called = {"function": {"name": "get_weather", "arguments": {"city": "München"}}}
    lines = [
        piece(1, thinking="The weather "),
        piece(2, thinking="is asked."),
        piece(3, content="Let me look."),
        piece(4, tool_calls=[called]),
        piece(5) | ending("stop", 40),
    ]
    answer = stream_answer(map(line, lines), STREAM_HEADERS)
    ask = ask_stream(**question("Weather in Munich?", tools=[tool("get_weather")], think=True))
    call = stage.ask(PROVIDER, "tool", answer, ask)
    call.expect_results(len(lines))
    message = {"thinking": "The weather is asked.", "content": "Let me look.", "tool_calls": [called]}
    call.expect_report("ollama-chat", piece(5, **message) | ending("stop", 40), chunks=len(lines))


def a_streamed_generation_of_ollama_is_reported_whole(stage):
    def said(second, text):
        return head(second) | {"response": text, "done": False}

    context = {"context": [105, 2364, 107]}
    lines = [said(1, "Hello, "), said(2, "wörld 天"), said(3, "") | ending("stop", 5) | context]

    def ask(client):
        for piece in client.generate(MODEL, "Say hello.", stream=True):
            yield piece.model_dump()

    call = stage.ask(PROVIDER, "generate", stream_answer(map(line, lines), STREAM_HEADERS), ask)
    call.expect_results(len(lines))
    whole = said(3, "Hello, wörld 天") | ending("stop", 5) | context
    call.expect_report("ollama-generate", whole, chunks=len(lines))


def a_refusal_of_ollama_raises_the_same_error(stage):
    body = json_body({"error": "model 'gemma3:1b' not found"})
    call = stage.ask(PROVIDER, "refused", whole_answer(body, JSON_HEADERS, 404), ask_stream(**question("Up?")))
    call.expect_error("ResponseError", status_code=404)
    call.expect_report("ollama-chat", body, outcome="refused", status=404)


def an_error_in_a_stream_of_ollama_is_raised_and_reported_with_what_came_before(stage):
    error = {"error": "an error was encountered while running the model"}
    lines = [*BEGUN, error]
    answer = stream_answer(map(line, lines), STREAM_HEADERS)
    call = stage.ask(PROVIDER, "error", answer, ask_stream(**question("Will you err?")))
    call.expect_error("ResponseError", results=len(BEGUN))
    call.expect_report("ollama-chat", SAID | error, chunks=len(lines), outcome="interrupted")


def a_stream_of_ollama_that_is_closed_is_reported_as_far_as_it_went(stage):
    def ask(client):
        for piece in take(client.chat(**question("Tell me everything."), stream=True), len(BEGUN)):
            yield piece.model_dump()

    call = stage.ask(PROVIDER, "closed", endless_answer(map(line, BEGUN), STREAM_HEADERS), ask)
    call.expect_results(len(BEGUN))
    call.expect_abandoned()
    call.expect_report("ollama-chat", SAID, chunks=len(BEGUN), outcome="abandoned")


SCENARIOS = (
    a_chat_of_ollama_is_passed_on_and_reported,
    a_streamed_chat_of_ollama_is_reported_whole,
    a_streamed_tool_call_of_ollama_is_reported_whole,
    a_streamed_generation_of_ollama_is_reported_whole,
    a_refusal_of_ollama_raises_the_same_error,
    an_error_in_a_stream_of_ollama_is_raised_and_reported_with_what_came_before,
    a_stream_of_ollama_that_is_closed_is_reported_as_far_as_it_went,
)
