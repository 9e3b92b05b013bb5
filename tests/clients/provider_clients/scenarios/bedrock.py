"""Models on Amazon's Bedrock, asked by converse and by invoke."""

import base64
import json
import os

import boto3
import botocore.config
import botocore.exceptions
from openai_client.answers.wire import compact, endless_answer, json_body, stream_answer, whole_answer
from openai_client.callers import API_KEY
from openai_client.comparing import parsed
from openai_client.servers import PATIENCE

from ..answers import take
from ..frames import event, exception
from ..stage import Provider

# Nothing but this key: no profile of this machine, and no service for instances is asked.
os.environ |= {
    "AWS_BEARER_TOKEN_BEDROCK": API_KEY,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}

SESSION = boto3.Session(region_name="us-east-1")
CONFIG = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=PATIENCE)


def client(base, headers):
    # The client refuses to send a bearer key over HTTP. In production a proxy in front of the gateway ends TLS; here
    # is none, so the client prepares a request for HTTPS and `without_tls` sends it over HTTP.
    secure = base.replace("http://", "https://")
    made = SESSION.client("bedrock-runtime", endpoint_url=secure, config=CONFIG)
    made.meta.events.register("before-call", lambda params, **_: params["headers"].update(headers))
    made.meta.events.register("before-send", without_tls)
    return made


def without_tls(request, **_):
    request.url = request.url.replace("https://", "http://")


def wrapped(body):
    """A request as it is reported: its body is a text."""
    about = {"modelId": MODEL, "modelArn": PROFILE, "contentType": "application/json", "accept": "application/json"}
    return about | {"body": body.decode()}


REQUEST_ID = "0b8e31d4-6a5c-4f5e-9f43-5a2d1c9a7b10"

PROVIDER = Provider(
    name="BEDROCK",
    format="bedrock",
    version="1.0.0",
    client=client,
    errors=(botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError),
    request_id=REQUEST_ID,
    reported=wrapped,
)

MODEL = "anthropic.claude-sonnet-4-5-20250929-v1:0"
PROFILE = f"us.{MODEL}"
JSON_HEADERS = {"content-type": "application/json", "x-amzn-requestid": REQUEST_ID}
STREAM_HEADERS = JSON_HEADERS | {"content-type": "application/vnd.amazon.eventstream"}
INVOKE_STREAM_HEADERS = STREAM_HEADERS | {"x-amzn-bedrock-content-type": "application/json"}

TOOLS = {"tools": [{"toolSpec": {"name": "get_weather", "inputSchema": {"json": {"type": "object"}}}}]}


# --- What is reported ----------------------------------------------------------------------------------------------


def answered(body):
    return {"requestId": REQUEST_ID, "body": body}


def answered_whole(body):
    return compact({"requestId": REQUEST_ID})[:-1] + b',"body":' + body.strip() + b"}"


# --- Converse ------------------------------------------------------------------------------------------------------


def question(text, **options):
    return {
        "modelId": PROFILE,
        "system": [{"text": "Be brief – and “kind”."}],
        "messages": [{"role": "user", "content": [{"text": text}]}],
        **options,
    }


def padded(name, value):
    # So that nobody can guess texts from packet lengths.
    return event(name, value | {"p": "abcdefghijklmnop"})


def start():
    return padded("messageStart", {"role": "assistant"})


def delta(index, delta):
    return padded("contentBlockDelta", {"contentBlockIndex": index, "delta": delta})


def stop(index):
    return padded("contentBlockStop", {"contentBlockIndex": index})


def ending(reason, output_tokens):
    return [padded("messageStop", {"stopReason": reason}), padded("metadata", counts(output_tokens))]


def counts(output_tokens):
    usage = {"inputTokens": 9, "outputTokens": output_tokens, "totalTokens": 9 + output_tokens}
    return {"usage": usage, "metrics": {"latencyMs": 812}}


def conversed(content, **further):
    return {"output": {"message": {"role": "assistant", "content": content}}} | further


BEGUN = [start(), delta(0, {"text": "Hello, "}), delta(0, {"text": "wörld 天"})]


def ask_converse_stream(**request):
    def ask(client):
        answer = client.converse_stream(**request)
        yield answer["ResponseMetadata"]
        yield from answer["stream"]

    return ask


def a_conversation_on_bedrock_is_passed_on_and_reported(stage):
    # Spellings, fields and an order that no client library would write.
    body = (
        '{"metrics":{"latencyMs":812},"usage":{"inputTokens":9,"outputTokens":3,"totalTokens":12},"vendor":{"cost":'
        '1.50E-3},"stopReason":"end_turn","output":{"message":{"content":[{"text":"Hello \\ud83d\\ude00 wörld"}],'
        '"role":"assistant"}}}'
    ).encode()

    def ask(client):
        answer = client.converse(**question("Say hello.", inferenceConfig={"temperature": 0.1}))
        yield answer["ResponseMetadata"]
        yield answer["output"]["message"]["content"][0]["text"]

    call = stage.ask(PROVIDER, "converse", whole_answer(body, JSON_HEADERS), ask)
    call.expect_results(2)
    call.expect_last("Hello 😀 wörld")
    call.expect_report("bedrock-converse", answered_whole(body))


def a_streamed_conversation_on_bedrock_is_reported_whole(stage):
    frames = [*BEGUN, stop(0), *ending("end_turn", 5)]
    answer = stream_answer(frames, STREAM_HEADERS)
    call = stage.ask(PROVIDER, "converse-stream", answer, ask_converse_stream(**question("Say hello.")))
    call.expect_results(1 + len(frames))
    whole = conversed([{"text": "Hello, wörld 天"}], stopReason="end_turn", **counts(5))
    call.expect_report("bedrock-converse", answered(whole), chunks=len(frames))


def a_streamed_tool_call_on_bedrock_is_reported_whole(stage):
    tool = {"toolUse": {"toolUseId": "tooluse_01", "name": "get_weather"}}
    frames = [
        start(),
        delta(0, {"reasoningContent": {"text": "The weather "}}),
        delta(0, {"reasoningContent": {"text": "is asked."}}),
        delta(0, {"reasoningContent": {"signature": "EqQBCgIYAhIM"}}),
        stop(0),
        delta(1, {"text": "Let me look."}),
        stop(1),
        padded("contentBlockStart", {"contentBlockIndex": 2, "start": tool}),
        delta(2, {"toolUse": {"input": '{"city": "Mün'}}),
        delta(2, {"toolUse": {"input": 'chen"}'}}),
        stop(2),
        *ending("tool_use", 40),
    ]
    # A prime that no frame is long: lengths, headers and checksums are all cut.
    text = b"".join(frames)
    shreds = [text[start : start + 37] for start in range(0, len(text), 37)]
    ask = ask_converse_stream(**question("Weather in Munich?", toolConfig=TOOLS))
    call = stage.ask(PROVIDER, "converse-tool", stream_answer(shreds, STREAM_HEADERS), ask)
    call.expect_results(1 + len(frames))
    content = [
        {"reasoningContent": {"reasoningText": {"text": "The weather is asked.", "signature": "EqQBCgIYAhIM"}}},
        {"text": "Let me look."},
        {"toolUse": {"toolUseId": "tooluse_01", "name": "get_weather", "input": {"city": "München"}}},
    ]
    whole = conversed(content, stopReason="tool_use", **counts(40))
    call.expect_report("bedrock-converse", answered(whole), chunks=len(frames))


def a_refusal_of_bedrock_raises_the_same_error(stage):
    body = json_body({"message": "temperature must be ≤ 1"})
    headers = JSON_HEADERS | {"x-amzn-errortype": "ValidationException:http://internal.amazon.com/coral/"}
    ask = ask_converse_stream(**question("Be too hot.", inferenceConfig={"temperature": 3}))
    call = stage.ask(PROVIDER, "refused", whole_answer(body, headers, 400), ask)
    call.expect_error("ValidationException", operation_name="ConverseStream")
    call.expect_report("bedrock-converse", answered_whole(body), outcome="refused", status=400)


def an_exception_in_a_stream_of_bedrock_is_raised_and_reported_with_what_came_before(stage):
    error = {"message": "Too many tokens, please wait."}
    name = "throttlingException"
    frames = [*BEGUN, exception(name, error)]
    ask = ask_converse_stream(**question("Will you err?"))
    call = stage.ask(PROVIDER, "exception", stream_answer(frames, STREAM_HEADERS), ask)
    call.expect_error("EventStreamError", results=1 + len(BEGUN))
    whole = conversed([{"text": "Hello, wörld 天"}], error={"type": name} | error)
    call.expect_report("bedrock-converse", answered(whole), chunks=len(frames), outcome="interrupted")


def a_stream_of_bedrock_that_is_closed_is_reported_as_far_as_it_went(stage):
    def ask(client):
        yield from take(client.converse_stream(**question("Tell me everything."))["stream"], len(BEGUN))

    call = stage.ask(PROVIDER, "closed", endless_answer(BEGUN, STREAM_HEADERS), ask)
    call.expect_results(len(BEGUN))
    call.expect_abandoned()
    call.expect_report(
        "bedrock-converse",
        answered(conversed([{"text": "Hello, wörld 天"}])),
        chunks=len(BEGUN),
        outcome="abandoned",
    )


# --- Invoke: the model's own format, here Anthropic's ----------------------------------------------------------------


def ask_invoke_stream(text):
    def ask(client):
        request = {"modelId": PROFILE, "body": json.dumps(message_question(text))}
        answer = client.invoke_model_with_response_stream(**request)
        yield answer["ResponseMetadata"]
        yield from answer["body"]

    return ask


def message_question(text):
    return {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 1024,
        "messages": [{"role": "user", "content": text}],
    }


def chunk(value):
    return padded("chunk", {"bytes": base64.b64encode(compact(value)).decode()})


def message(content, reason, output_tokens):
    return {
        "id": "msg_bdrk_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 12, "output_tokens": output_tokens},
    }


def an_invocation_on_bedrock_is_passed_on_and_reported(stage):
    body = compact(message([{"type": "text", "text": "Hello wörld"}], "end_turn", 3))

    def ask(client):
        answer = client.invoke_model(modelId=PROFILE, body=json.dumps(message_question("Say hello.")))
        yield answer["ResponseMetadata"]
        yield parsed(answer["body"].read().decode())["content"][0]["text"]

    call = stage.ask(PROVIDER, "invoke", whole_answer(body, JSON_HEADERS), ask)
    call.expect_results(2)
    call.expect_last("Hello wörld")
    call.expect_report("bedrock-invoke", answered_whole(body))


def a_streamed_invocation_on_bedrock_is_reported_whole(stage):
    metrics = {"inputTokenCount": 12, "outputTokenCount": 5, "invocationLatency": 812, "firstByteLatency": 402}
    metrics = {"amazon-bedrock-invocationMetrics": metrics}
    events = [
        {"type": "message_start", "message": message([], None, 1)},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello, "}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "wörld 天"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
        {"type": "message_stop"} | metrics,
    ]
    answer = stream_answer(map(chunk, events), INVOKE_STREAM_HEADERS)
    call = stage.ask(PROVIDER, "invoke-stream", answer, ask_invoke_stream("Say hello."))
    call.expect_results(1 + len(events))
    whole = message([{"type": "text", "text": "Hello, wörld 天"}], "end_turn", 5) | metrics
    call.expect_report("bedrock-invoke", answered(whole), chunks=len(events))


SCENARIOS = (
    a_conversation_on_bedrock_is_passed_on_and_reported,
    a_streamed_conversation_on_bedrock_is_reported_whole,
    a_streamed_tool_call_on_bedrock_is_reported_whole,
    a_refusal_of_bedrock_raises_the_same_error,
    an_exception_in_a_stream_of_bedrock_is_raised_and_reported_with_what_came_before,
    a_stream_of_bedrock_that_is_closed_is_reported_as_far_as_it_went,
    an_invocation_on_bedrock_is_passed_on_and_reported,
    a_streamed_invocation_on_bedrock_is_reported_whole,
)
