"""What is reported only where that is asked for, and what never is."""

import base64
import struct

from ..answers.wire import json_answer, json_body
from ..clients import whole
from ..comparing import expect_same

VECTOR = [0.0123, -0.5, 0.25, 1e-05]


def embeddings_are_reported_as_they_crossed_the_wire(stage):
    packed = base64.b64encode(struct.pack("<4f", *VECTOR)).decode()
    data = [{"object": "embedding", "index": index, "embedding": packed} for index in range(2)]
    usage = {"prompt_tokens": 8, "total_tokens": 8}
    body = json_body({"object": "list", "data": data, "model": "text-embedding-3-small", "usage": usage})
    # The client asks for packed numbers by itself, and unpacks them.
    request = {"model": "text-embedding-3-small", "input": ["one", "zwö"], "dimensions": 4}
    call = stage.ask("embedding", json_answer(body), whole(lambda client: client.embeddings.create(**request)))
    unpacked = list(struct.unpack("<4f", struct.pack("<4f", *VECTOR)))
    call.expect("the vector", unpacked, lambda outcome: outcome.results[0]["data"][1]["embedding"])
    call.expect_report("embedding", body)


def embeddings_as_numbers_are_reported_digit_by_digit(stage):
    body = (
        b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":[-0.006929283495992422,1.50e-3,0.0]}],'
        b'"model":"text-embedding-3-small","usage":{"prompt_tokens":5,"total_tokens":5}}'
    )
    request = {"model": "text-embedding-3-small", "input": "one", "encoding_format": "float"}
    call = stage.ask("embedding-numbers", json_answer(body), whole(lambda client: client.embeddings.create(**request)))
    call.expect(
        "the first number", -0.006929283495992422, lambda outcome: outcome.results[0]["data"][0]["embedding"][0]
    )
    call.expect_report("embedding", body)


CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "sexual",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm/intent",
    "self-harm/instructions",
    "self-harm",
    "sexual/minors",
    "violence",
    "violence/graphic",
)


def a_moderation_is_reported(stage):
    result = {
        "flagged": True,
        "categories": {name: name == "violence" for name in CATEGORIES},
        "category_scores": {name: 0.0000045 * place for place, name in enumerate(CATEGORIES, 1)},
        "category_applied_input_types": {name: ["text"] for name in CATEGORIES},
    }
    body = json_body({"id": "modr-1", "model": "omni-moderation-latest", "results": [result]})
    request = {"model": "omni-moderation-latest", "input": [{"type": "text", "text": "I'll hit you."}]}
    call = stage.ask("moderation", json_answer(body), whole(lambda client: client.moderations.create(**request)))
    call.expect("the flag", True, lambda outcome: outcome.results[0]["results"][0]["flagged"])
    call.expect_report("moderation", body)


def other_endpoints_are_passed_on_and_never_reported(stage):
    models = {"object": "list", "data": [{"id": "gpt-4o", "object": "model", "created": 1, "owned_by": "system"}]}
    ask = whole(lambda client: client.models.list(extra_query={"limit": "2 of many"}))
    call = stage.ask("models", json_answer(json_body(models)), ask)
    call.expect("the models", ["gpt-4o"], lambda outcome: [model["id"] for model in outcome.results[0]["data"]])
    targets = {received.target for received in stage.upstream.received["models-sync"]}
    expect_same(targets, {"/v1/models?limit=2+of+many"}, "the target")


def a_stored_response_is_passed_on_and_never_reported(stage):
    deleted = json_body({"id": "resp_1", "object": "response", "status": "cancelled", "output": []})
    ask = whole(lambda client: client.responses.cancel("resp_1"))
    call = stage.ask("cancel", json_answer(deleted), ask)
    call.expect("the status", "cancelled", lambda outcome: outcome.results[0]["status"])


SCENARIOS = (
    embeddings_are_reported_as_they_crossed_the_wire,
    embeddings_as_numbers_are_reported_digit_by_digit,
    a_moderation_is_reported,
    other_endpoints_are_passed_on_and_never_reported,
    a_stored_response_is_passed_on_and_never_reported,
)
