"""Chats, streamed and not."""

from .wire import DONE, data, json_body

MODEL = "gpt-4o-2024-08-06"
TAIL = {"service_tier": "default", "system_fingerprint": "fp_07871e2ad8"}


def completion(choices, usage, **top):
    """A chat that is not streamed. A choice is (message, reason for its end) or, with logprobs, has three parts."""
    head = {"id": "chatcmpl-BQ1", "object": "chat.completion", "created": 1741569952, "model": MODEL}
    made = [choice_of(index, "message", *choice) for index, choice in enumerate(choices)]
    return head | {"choices": made, "usage": usage} | TAIL | top


def completion_body(choices, usage, **top):
    return json_body(completion(choices, usage, **top))


def assembled(choices, usage=None, **top):
    """What is made of a stream: the same, but that it only has what was streamed."""
    made = completion(choices, usage, **top)
    if usage is None:
        del made["usage"]
    return made


def chunks(deltas, usage=None, **top):
    """The chunks of a streamed chat. A delta is (index of the choice, delta, reason for its end, logprobs); its usage
    comes in a chunk of its own, to those who asked for it."""
    head = {"id": "chatcmpl-BQ1", "object": "chat.completion.chunk", "created": 1741569952, "model": MODEL}
    head |= TAIL | top
    no_usage = {"usage": None} if usage else {}
    made = [head | {"choices": [choice_of(index, "delta", *rest)]} | no_usage for index, *rest in deltas]
    if usage:
        made.append(head | {"choices": [], "usage": usage})
    # Chunks are padded, so that nobody can guess texts from packet lengths.
    return [chunk | {"obfuscation": "KpTq3xUw7"[: 9 - number % 8]} for number, chunk in enumerate(made)]


def stream(chunks):
    return [*map(data, chunks), DONE]


def choice_of(index, key, value, finish=None, logprobs=None):
    return {"index": index, key: value, "logprobs": logprobs, "finish_reason": finish}


def usage_of(prompt, output, cached=0, reasoning=0):
    return {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def said(content, refusal=None, **further):
    """A message as a stream adds up to it."""
    return {"role": "assistant", "content": content, **further, "refusal": refusal}


def answered(content, refusal=None, **further):
    """A message as it is when it is not streamed."""
    return said(content, refusal, **further) | {"annotations": []}


FIRST = {"role": "assistant", "content": "", "refusal": None}


def content(*pieces):
    """The deltas of a text."""
    return [(0, FIRST), *((0, {"content": piece}) for piece in pieces)]


def function_call(id, name, arguments):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def logprobs_of(*tokens, key="content"):
    """What is known of tokens, of a text or of a refusal."""
    known = [
        {"token": token, "logprob": -0.0012038043 * (place + 1), "bytes": list(token.encode()), "top_logprobs": []}
        for place, token in enumerate(tokens)
    ]
    return {"content": None, "refusal": None} | {key: known}


# --- What is asked -----------------------------------------------------------------------------------------------


def question(text, **options):
    return {
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": "Be brief – and “kind”."},
            {"role": "user", "content": text},
        ],
        **options,
    }


def tool(name):
    parameters = {"type": "object", "properties": {}, "additionalProperties": True}
    return {"type": "function", "function": {"name": name, "description": f"Does {name}.", "parameters": parameters}}
