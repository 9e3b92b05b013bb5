"""Answers of Gemini."""

from google import genai
from google.genai import errors, types
from openai_client.answers.wire import compact, endless_answer, json_body, stream_answer, whole_answer
from openai_client.callers import API_KEY
from openai_client.comparing import parsed
from openai_client.servers import PATIENCE

from ..answers import take
from ..stage import Provider


def client(base, headers):
    options = types.HttpOptions(base_url=base, headers=headers, timeout=PATIENCE * 1000)
    return genai.Client(api_key=API_KEY, vertexai=False, http_options=options)


def with_model(body):
    """A request as it is reported: it says itself which model was asked."""
    return {"model": MODEL} | parsed(body)


PROVIDER = Provider(
    name="GEMINI",
    format="gemini",
    version="2.2.0",
    client=client,
    errors=(errors.APIError,),
    reported=with_model,
)

MODEL = "gemini-2.5-flash"
JSON_HEADERS = {"content-type": "application/json; charset=UTF-8", "server-timing": "gfet4t7; dur=812"}
STREAM_HEADERS = JSON_HEADERS | {"content-type": "text/event-stream"}

TOOL = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="get_weather",
            description="Tells the weather.",
            parameters_json_schema={"type": "object", "properties": {"city": {"type": "string"}}},
        )
    ]
)


def data(value):
    """An event as Google writes it."""
    return b"data: %s\r\n\r\n" % compact(value)


def response(parts, output_tokens=None, finish=None):
    """An answer, or a piece of one. The tokens are counted from the first piece on."""
    candidate = {"content": {"parts": parts, "role": "model"}}
    candidate |= {"finishReason": finish} if finish else {}
    usage = {"promptTokenCount": 9}
    usage |= {"candidatesTokenCount": output_tokens} if output_tokens else {}
    return {
        "candidates": [candidate | {"index": 0}],
        "usageMetadata": usage | {"totalTokenCount": 9 + (output_tokens or 0)},
        "modelVersion": MODEL,
        "responseId": "kPjqaKq1Ds",
    }


BEGUN = [response([{"text": "Hello, "}]), response([{"text": "wörld 天"}], 4)]
BEGUN_WHOLE = response([{"text": "Hello, wörld 天"}], 4)


def shown(answer):
    return answer.model_dump(mode="json")


def ask_stream(text, **config):
    def ask(client):
        options = types.GenerateContentConfig(**config)
        for piece in client.models.generate_content_stream(model=MODEL, contents=text, config=options):
            yield shown(piece)

    return ask


def an_answer_of_gemini_is_passed_on_and_reported(stage):
    # Spellings, fields and an order that no client library would write.
    body = (
        '{"usageMetadata":{"totalTokenCount":12},"vendor":{"cost":1.50E-3},"responseId":"kPjq","modelVersion":'
        '"gemini-2.5-flash","candidates":[{"finishReason":"STOP","content":{"role":"model","parts":[{"text":'
        '"Hello \\ud83d\\ude00 wörld"}]}}]}'
    ).encode()

    def ask(client):
        options = types.GenerateContentConfig(temperature=0.1, system_instruction="Be brief – and “kind”.")
        yield client.models.generate_content(model=MODEL, contents="Say hello.", config=options).text

    call = stage.ask(PROVIDER, "answer", whole_answer(body, JSON_HEADERS), ask)
    call.expect_results(1)
    call.expect_last("Hello 😀 wörld")
    call.expect_report("gemini-generate", body, kind="generate")


def a_streamed_answer_of_gemini_is_reported_whole(stage):
    chunks = [*BEGUN, response([{"text": "."}], 5, "STOP")]
    answer = stream_answer(map(data, chunks), STREAM_HEADERS)
    call = stage.ask(PROVIDER, "stream", answer, ask_stream("Say hello."))
    call.expect_results(len(chunks))
    whole = response([{"text": "Hello, wörld 天."}], 5, "STOP")
    call.expect_report("gemini-generate", whole, kind="generate", chunks=len(chunks))


def a_streamed_tool_call_of_gemini_is_reported_whole(stage):
    function = {"name": "get_weather", "args": {"city": "München"}}
    signed = {"functionCall": function, "thoughtSignature": "EqQBCgIYAhIM"}
    chunks = [
        response([{"text": "The weather ", "thought": True}]),
        response([{"text": "is asked.", "thought": True}], 8),
        response([{"text": "Let me look."}], 12),
        response([signed], 30),
        response([{"text": ""}], 30, "STOP"),
    ]
    ask = ask_stream("Weather in Munich?", tools=[TOOL])
    call = stage.ask(PROVIDER, "tool", stream_answer(map(data, chunks), STREAM_HEADERS), ask)
    call.expect_results(len(chunks))
    parts = [{"text": "The weather is asked.", "thought": True}, {"text": "Let me look."}, signed]
    whole = response([*parts, {"text": ""}], 30, "STOP")
    call.expect_report("gemini-generate", whole, kind="generate", chunks=len(chunks))


def the_turns_of_a_chat_of_gemini_are_reported_apart_from_the_last(stage):
    chunks = [*BEGUN, response([{"text": "."}], 5, "STOP")]
    history = [
        types.Content(role="user", parts=[types.Part(text="Hello?")]),
        types.Content(role="model", parts=[types.Part(text="Yes?")]),
    ]

    def ask(client):
        chat = client.chats.create(model=MODEL, history=history)
        for piece in chat.send_message_stream("Say hello."):
            yield shown(piece)

    def reported(body):
        request = {}
        for name, value in with_model(body).items():
            request |= {"contents": value[-1:], "history": value[:-1]} if name == "contents" else {name: value}
        return request

    call = stage.ask(PROVIDER, "turns", stream_answer(map(data, chunks), STREAM_HEADERS), ask)
    call.expect_results(len(chunks))
    whole = response([{"text": "Hello, wörld 天."}], 5, "STOP")
    call.expect_report("gemini-generate", whole, reported=reported, chunks=len(chunks))


def a_refusal_of_gemini_raises_the_same_error(stage):
    error = {"code": 400, "message": "temperature must be ≤ 2", "status": "INVALID_ARGUMENT"}
    body = json_body({"error": error})
    answer = whole_answer(body, JSON_HEADERS, 400)
    call = stage.ask(PROVIDER, "refused", answer, ask_stream("Be too hot.", temperature=3))
    call.expect_error("ClientError", code=400, status="INVALID_ARGUMENT")
    call.expect_report("gemini-generate", body, kind="generate", outcome="refused", status=400)


def expect_failing(stage, name, answer, error):
    call = stage.ask(PROVIDER, name, answer, ask_stream("Will you err?"))
    call.expect_error("ServerError", results=len(BEGUN), code=503)
    call.expect_report(
        "gemini-generate",
        BEGUN_WHOLE | {"error": error},
        kind="generate",
        chunks=len(BEGUN) + 1,
        outcome="interrupted",
    )


def an_error_among_the_data_of_gemini_is_raised_and_reported_with_what_came_before(stage):
    error = {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}
    answer = stream_answer([*map(data, BEGUN), data({"error": error})], STREAM_HEADERS)
    expect_failing(stage, "error", answer, error)


def an_error_between_the_data_of_gemini_is_raised_and_reported_with_what_came_before(stage):
    # The service writes it so, line by line, without `data:`.
    error = {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}
    answer = stream_answer([*map(data, BEGUN), json_body({"error": error})], STREAM_HEADERS)
    expect_failing(stage, "bare-error", answer, error)


def a_stream_of_gemini_that_is_closed_is_reported_as_far_as_it_went(stage):
    def ask(client):
        stream = client.models.generate_content_stream(model=MODEL, contents="Tell me everything.")
        for piece in take(stream, len(BEGUN)):
            yield shown(piece)

    call = stage.ask(PROVIDER, "closed", endless_answer(map(data, BEGUN), STREAM_HEADERS), ask)
    call.expect_results(len(BEGUN))
    call.expect_abandoned()
    call.expect_report("gemini-generate", BEGUN_WHOLE, kind="generate", chunks=len(BEGUN), outcome="abandoned")


SCENARIOS = (
    an_answer_of_gemini_is_passed_on_and_reported,
    a_streamed_answer_of_gemini_is_reported_whole,
    a_streamed_tool_call_of_gemini_is_reported_whole,
    the_turns_of_a_chat_of_gemini_are_reported_apart_from_the_last,
    a_refusal_of_gemini_raises_the_same_error,
    an_error_among_the_data_of_gemini_is_raised_and_reported_with_what_came_before,
    an_error_between_the_data_of_gemini_is_raised_and_reported_with_what_came_before,
    a_stream_of_gemini_that_is_closed_is_reported_as_far_as_it_went,
)
