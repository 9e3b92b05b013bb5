"""Calls that are refused. They raise the same error, and are reported only if that is asked for."""

from ..answers import chats
from ..answers.wire import json_answer, json_body
from ..clients import opened, settled, whole
from .chat_streams import ask_stream
from .chats import ask_chat

ERROR = {
    "message": "Invalid value: 'temperature' must be ≤ 2.",
    "type": "invalid_request_error",
    "param": "temperature",
    "code": "decimal_above_max_value",
}
BODY = json_body({"error": ERROR})


def expect_refused(stage, name, ask, endpoint="chat", status=400, error="BadRequestError", headers=None):
    call = stage.ask(name, json_answer(BODY, status, headers), ask)
    call.expect("the results", [], lambda outcome: outcome.results)
    wanted = {"type": error, "status": status, "body": ERROR, "request_id": "req_whole", "text": BODY.decode()}
    call.expect("the error", wanted, lambda outcome: {name: outcome.error[name] for name in wanted})
    call.expect_report(endpoint, BODY, outcome="refused", status=status)
    return call


def a_refused_chat_raises_the_same_error(stage):
    expect_refused(stage, "refused", ask_chat(**chats.question("Be too hot.", temperature=3)))


def a_refused_stream_raises_the_same_error(stage):
    expect_refused(stage, "refused-stream", ask_stream(**chats.question("Be too hot, bit by bit.", temperature=3)))


def a_refused_streaming_response_raises_the_same_error(stage):
    async def ask(client):
        request = chats.question("Be too hot, raw.", temperature=3, stream=True)
        async with opened(client.chat.completions.with_streaming_response.create(**request)) as response:
            yield await settled(response.read())

    expect_refused(stage, "refused-raw", ask)


def a_refused_text_completion_raises_the_same_error(stage):
    ask = whole(lambda client: client.completions.create(model="gpt-3.5-turbo-instruct", prompt="Hot.", temperature=3))
    expect_refused(stage, "refused-completion", ask, "completion")


def a_refused_image_raises_the_same_error(stage):
    ask = whole(lambda client: client.images.generate(model="dall-e-2", prompt="a cat", quality="standard"))
    expect_refused(stage, "refused-image", ask, "image-generation")


def a_refused_key_raises_the_same_error(stage):
    expect_refused(stage, "refused-key", ask_chat(**chats.question("Hello?")), status=401, error="AuthenticationError")


def a_rate_limit_reaches_the_client_with_its_delay(stage):
    ask = ask_chat(**chats.question("Again, and again."))
    delay = {"retry-after": "20"}
    call = expect_refused(stage, "limited", ask, status=429, error="RateLimitError", headers=delay)
    call.expect("the delay", ["20"], lambda outcome: outcome.heads[0]["headers"]["retry-after"])


def a_failing_service_raises_the_same_error(stage):
    expect_refused(stage, "failing", ask_chat(**chats.question("Up?")), status=503, error="InternalServerError")


SCENARIOS = (
    a_refused_chat_raises_the_same_error,
    a_refused_stream_raises_the_same_error,
    a_refused_streaming_response_raises_the_same_error,
    a_refused_text_completion_raises_the_same_error,
    a_refused_image_raises_the_same_error,
    a_refused_key_raises_the_same_error,
    a_rate_limit_reaches_the_client_with_its_delay,
    a_failing_service_raises_the_same_error,
)
