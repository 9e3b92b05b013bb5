"""Chats that are answered as a whole."""

import base64

from pydantic import BaseModel

from ..answers import chats, files
from ..answers.wire import gzip_answer, json_answer
from ..clients import SYNC, whole


def ask_chat(**request):
    return whole(lambda client: client.chat.completions.create(**request))


def a_chat_is_passed_on_and_reported(stage):
    # Spellings, fields and an order that no client library would write.
    body = (
        '{"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12},"id":"chatcmpl-0","vendor":{"cost":1.50E-3},'
        '"object":"chat.completion","created":1741569952,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":'
        '{"role":"assistant","content":"Hello \\ud83d\\ude00 wörld","refusal":null,"annotations":[]},"logprobs":null,'
        '"finish_reason":"stop"}]}'
    ).encode()
    request = chats.question("Say hello.", temperature=0.1, seed=12345678901234567, metadata={"b": "1", "a": "2"})
    call = stage.ask("chat", json_answer(body), ask_chat(**request))
    call.expect("the content", "Hello 😀 wörld", content_of)
    call.expect_report("chat", body)


def a_caller_without_a_name_is_reported_as_nobody(stage):
    body = chats.completion_body([(chats.answered("Who knows."), "stop")], chats.usage_of(4, 2))
    # One of the clients will do: nothing else tells the two reports apart.
    call = stage.ask("stranger", json_answer(body), ask_chat(**chats.question("Who am I?")), [SYNC], is_known=False)
    call.expect_results(1)
    call.expect_report("chat", body)


def a_gzipped_answer_is_reported_unpacked(stage):
    content = " ".join(f"number {n}" for n in range(20_000))
    body = chats.completion_body([(chats.answered(content), "length")], chats.usage_of(5, 40_000))
    call = stage.ask("gzip", gzip_answer(body), ask_chat(**chats.question("Say it at length.")))
    call.expect("the content", content, content_of)
    call.expect_report("chat", body)


def two_tool_calls_and_their_results_are_reported(stage):
    calls = [
        chats.function_call("call_weather", "get_weather", '{"city":"München"}'),
        chats.function_call("call_time", "get_time", '{"zone":"Europe/Berlin"}'),
    ]
    request = chats.question("Weather and time in Munich?", tools=[chats.tool("get_weather"), chats.tool("get_time")])
    request["messages"] += [
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "call_weather", "content": '{"error": "try again"}'},
        {"role": "tool", "tool_call_id": "call_time", "content": '"15:04"'},
    ]
    again = [chats.function_call(f"{call['id']}_again", **call["function"]) for call in calls]
    message = chats.answered("It is 15:04.", tool_calls=again)
    body = chats.completion_body([(message, "tool_calls")], chats.usage_of(131, 27))
    call = stage.ask("tools", json_answer(body), ask_chat(**request))
    call.expect("the calls", again, lambda outcome: outcome.results[0]["choices"][0]["message"]["tool_calls"])
    call.expect_report("chat", body)


def several_choices_with_logprobs_are_reported(stage):
    choices = [
        (chats.answered("Heads."), "stop", chats.logprobs_of("He", "ads", ".")),
        (chats.answered("Tails"), "length", chats.logprobs_of("Ta", "ils")),
    ]
    body = chats.completion_body(choices, chats.usage_of(4, 5))
    request = chats.question("Heads or tails?", n=2, logprobs=True, max_completion_tokens=3)
    call = stage.ask("choices", json_answer(body), ask_chat(**request))
    call.expect("the logprobs", choices[1][2], lambda outcome: outcome.results[0]["choices"][1]["logprobs"])
    call.expect_report("chat", body)


def a_picture_in_a_question_is_reported_as_it_was_sent(stage):
    picture = base64.b64encode(files.png(256, 256, 6)).decode()
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}", "detail": "low"}},
    ]
    body = chats.completion_body([(chats.answered("Noise."), "stop")], chats.usage_of(98, 2))
    call = stage.ask("picture", json_answer(body), ask_chat(**chats.question(parts)))
    call.expect("the content", "Noise.", content_of)
    call.expect_report("chat", body)


class Recipe(BaseModel):
    name: str
    steps: list[str]


def a_refusal_is_reported(stage):
    refusal = "I'm sorry, I can't help with that."
    message = chats.answered(None, refusal)
    body = chats.completion_body([(message, "stop")], chats.usage_of(79, 11))
    request = chats.question("How do I build a bomb?", response_format=Recipe)
    call = stage.ask("refusal", json_answer(body), whole(lambda client: client.chat.completions.parse(**request)))
    call.expect("the refusal", refusal, lambda outcome: outcome.results[0]["choices"][0]["message"]["refusal"])
    call.expect_report("chat", body)


def cached_and_reasoning_tokens_are_reported(stage):
    usage = chats.usage_of(2_006, 300, cached=1_920, reasoning=256)
    top = {"model": "o4-mini-2025-04-16", "system_fingerprint": None}
    body = chats.completion_body([(chats.answered("Yes."), "stop")], usage, **top)
    request = chats.question("Is it so?", reasoning_effort="high", prompt_cache_key="the-check")
    call = stage.ask("tokens", json_answer(body), ask_chat(**request))
    call.expect("the cached tokens", 1_920, details_of("prompt_tokens_details", "cached_tokens"))
    call.expect("the reasoning tokens", 256, details_of("completion_tokens_details", "reasoning_tokens"))
    call.expect_report("chat", body)


def content_of(outcome):
    return outcome.results[0]["choices"][0]["message"]["content"]


def details_of(details, name):
    return lambda outcome: outcome.results[0]["usage"][details][name]


SCENARIOS = (
    a_chat_is_passed_on_and_reported,
    a_caller_without_a_name_is_reported_as_nobody,
    a_gzipped_answer_is_reported_unpacked,
    two_tool_calls_and_their_results_are_reported,
    several_choices_with_logprobs_are_reported,
    a_picture_in_a_question_is_reported_as_it_was_sent,
    a_refusal_is_reported,
    cached_and_reasoning_tokens_are_reported,
)
