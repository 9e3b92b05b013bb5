"""Responses, streamed and not, and the chats that they are reported as."""

from .wire import event

MODEL = "gpt-5-2025-08-07"


def response(output, status="completed", usage=None, **further):
    """A response with every field that it has."""
    return {
        "id": "resp_0a1b2c",
        "object": "response",
        "created_at": 1757630616,
        "status": status,
        "background": False,
        "completed_at": 1757630620 if status == "completed" else None,
        "error": None,
        "frequency_penalty": 0.0,
        "incomplete_details": None,
        "instructions": "Be brief.",
        "max_output_tokens": None,
        "max_tool_calls": None,
        "model": MODEL,
        "output": output,
        "parallel_tool_calls": True,
        "presence_penalty": 0.0,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "prompt_cache_retention": None,
        "reasoning": {"effort": "low", "summary": "detailed"},
        "safety_identifier": None,
        "service_tier": "default",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage,
        "user": None,
        "metadata": {},
        **further,
    }


def chat_of(response, message, finish, **choice):
    """The chat that a response is reported as."""
    renamed = {"created_at": "created", "output": "choices"}
    chat = {renamed.get(name, name): value for name, value in response.items() if name != "instructions"}
    chat["object"] = "chat.completion"
    chat["choices"] = [{"index": 0, "message": message, **choice, "finish_reason": finish}]
    if usage := response["usage"]:
        chat["usage"] = {
            "prompt_tokens": usage["input_tokens"],
            "prompt_tokens_details": usage["input_tokens_details"],
            "completion_tokens": usage["output_tokens"],
            "completion_tokens_details": usage["output_tokens_details"],
            "total_tokens": usage["total_tokens"],
        }
    return chat


def usage_of(prompt, output, cached=0, reasoning=0):
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": prompt + output,
    }


# --- Items of the output -----------------------------------------------------------------------------------------


def message(*parts, status="completed"):
    return {"id": "msg_1", "type": "message", "status": status, "content": list(parts), "role": "assistant"}


def text(text, annotations=(), logprobs=()):
    return {"type": "output_text", "annotations": [*annotations], "logprobs": [*logprobs], "text": text}


def refusal(text):
    return {"type": "refusal", "refusal": text}


def reasoning(*summaries):
    summary = [{"type": "summary_text", "text": text} for text in summaries]
    return {"id": "rs_1", "type": "reasoning", "encrypted_content": "gAAAAABow1Cb52icVPI=", "summary": summary}


def function_call(call, name, arguments, status="completed"):
    about = {"id": f"fc_{call}", "type": "function_call", "status": status, "arguments": arguments}
    return about | {"call_id": f"call_{call}", "name": name}


# --- The events of a stream --------------------------------------------------------------------------------------


def stream(events):
    """The events, numbered and written to the wire."""
    return [event(value | {"sequence_number": number}) for number, value in enumerate(events)]


def lifecycle(kind, response):
    return {"type": f"response.{kind}", "response": response}


def beginning(**further):
    """How every stream begins."""
    begun = response([], "in_progress", **further)
    return [lifecycle("created", begun), lifecycle("in_progress", begun)]


def item_events(index, item, inside):
    """An item that is announced empty, filled, and done."""
    empty = item | {"status": "in_progress"} if "status" in item else item
    for name, nothing in (("content", []), ("summary", []), ("arguments", "")):
        if name in item:
            empty = empty | {name: nothing}
    added = {"type": "response.output_item.added", "item": empty, "output_index": index}
    done = {"type": "response.output_item.done", "item": item, "output_index": index}
    return [added, *inside, done]


def message_events(index, pieces, kind="output_text", status="completed"):
    """A message of one part, which is a text or a refusal."""
    content = "".join(pieces)
    make, name = (text, "text") if kind == "output_text" else (refusal, "refusal")
    about = {"content_index": 0, "item_id": "msg_1", "output_index": index}
    logprobs = {"logprobs": []} if kind == "output_text" else {}
    padded = {"obfuscation": "tiz7qNBZ7"}
    deltas = [about | {"delta": piece} | logprobs | padded for piece in pieces]
    inside = [
        {"type": "response.content_part.added"} | about | {"part": make("")},
        *({"type": f"response.{kind}.delta"} | delta for delta in deltas),
        {"type": f"response.{kind}.done"} | about | logprobs | {name: content},
        {"type": "response.content_part.done"} | about | {"part": make(content)},
    ]
    return item_events(index, message(make(content), status=status), inside)


def reasoning_events(index, pieces):
    content = "".join(pieces)
    about = {"item_id": "rs_1", "output_index": index, "summary_index": 0}
    part = {"type": "summary_text", "text": content}
    kind = "response.reasoning_summary"
    inside = [
        {"type": f"{kind}_part.added"} | about | {"part": part | {"text": ""}},
        *({"type": f"{kind}_text.delta"} | about | {"delta": piece, "obfuscation": "7VLGp4"} for piece in pieces),
        {"type": f"{kind}_text.done"} | about | {"text": content},
        {"type": f"{kind}_part.done"} | about | {"part": part},
    ]
    return item_events(index, reasoning(content), inside)


def function_call_events(index, call, name, pieces):
    arguments = "".join(pieces)
    about = {"item_id": f"fc_{call}", "output_index": index}
    kind = "response.function_call_arguments"
    inside = [
        *({"type": f"{kind}.delta"} | about | {"delta": piece, "obfuscation": "Ioyfo50J"} for piece in pieces),
        {"type": f"{kind}.done", "arguments": arguments} | about,
    ]
    return item_events(index, function_call(call, name, arguments), inside)
