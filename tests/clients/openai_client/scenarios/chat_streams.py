"""What streamed chats are put together to."""

from pydantic import BaseModel

from ..answers import chats
from ..answers.wire import DONE, data, stream_answer
from ..clients import each, opened, streamed
from ..comparing import as_sent

WITH_USAGE = {"stream_options": {"include_usage": True}}


def ask_stream(**request):
    return streamed(lambda client: client.chat.completions.create(stream=True, **request))


def expect_whole(stage, name, chunks, request, whole):
    """Streams chunks, and expects that they are reported as a whole."""
    call = stage.ask(name, stream_answer(chats.stream(chunks)), ask_stream(**request))
    call.expect_results(len(chunks))
    call.expect_report("chat", as_sent(whole), chunks=len(chunks))


def call_piece(index, arguments, **first):
    """A piece of a tool call; only the first has an identity."""
    function = {"name": first.pop("name"), "arguments": arguments} if first else {"arguments": arguments}
    return 0, {"tool_calls": [{"index": index, **first, "function": function}]}


WEATHER_AND_TIME = chats.chunks(
    [
        *chats.content("Let me ", "look – 天気", "."),
        call_piece(0, "", id="call_weather", type="function", name="get_weather"),
        call_piece(0, '{"city": "Mün'),
        call_piece(1, "", id="call_time", type="function", name="get_time"),
        call_piece(1, '{"zone": '),
        call_piece(0, 'chen", "un'),
        call_piece(1, '"Europe/'),
        call_piece(1, 'Berlin"}'),
        call_piece(0, 'it": "°C"}'),
        (0, {}, "tool_calls"),
    ],
    chats.usage_of(82, 40),
)

CALLS = [
    chats.function_call("call_weather", "get_weather", '{"city": "München", "unit": "°C"}'),
    chats.function_call("call_time", "get_time", '{"zone": "Europe/Berlin"}'),
]

WEATHER_AND_TIME_WHOLE = chats.assembled(
    [(chats.said("Let me look – 天気.", tool_calls=CALLS), "tool_calls")], chats.usage_of(82, 40)
)

WEATHER_AND_TIME_ASKED = chats.question(
    "Weather and time in Munich?", tools=[chats.tool("get_weather"), chats.tool("get_time")], **WITH_USAGE
)


def two_parallel_tool_calls_after_a_text_are_kept_apart(stage):
    expect_whole(stage, "tools-stream", WEATHER_AND_TIME, WEATHER_AND_TIME_ASKED, WEATHER_AND_TIME_WHOLE)


def a_stream_cut_anywhere_is_reported_whole(stage):
    text = b"".join(chats.stream(WEATHER_AND_TIME))
    # A prime that no event is long: lines, keys and characters of several bytes are all cut.
    shreds = [text[start : start + 37] for start in range(0, len(text), 37)]
    call = stage.ask("shreds", stream_answer(shreds), ask_stream(**WEATHER_AND_TIME_ASKED))
    call.expect_results(len(WEATHER_AND_TIME))
    call.expect_report("chat", as_sent(WEATHER_AND_TIME_WHOLE), chunks=len(WEATHER_AND_TIME))


def two_choices_are_kept_apart(stage):
    chunks = chats.chunks(
        [
            (1, chats.FIRST),
            (0, chats.FIRST),
            (0, {"content": "He"}),
            (1, {"content": "Ta"}),
            (1, {"content": "ils, "}),
            (0, {"content": "ads."}),
            (0, {}, "stop"),
            (1, {"content": "then"}),
            (1, {}, "length"),
        ],
        chats.usage_of(4, 8),
    )
    whole = chats.assembled(
        [(chats.said("Heads."), "stop"), (chats.said("Tails, then"), "length")], chats.usage_of(4, 8)
    )
    request = chats.question("Heads or tails?", n=2, max_completion_tokens=4, **WITH_USAGE)
    expect_whole(stage, "choices-stream", chunks, request, whole)


def a_stream_without_usage_is_reported_without(stage):
    chunks = chats.chunks([*chats.content("Hel", "lo."), (0, {}, "stop")])
    whole = chats.assembled([(chats.said("Hello."), "stop")])
    expect_whole(stage, "no-usage", chunks, chats.question("Hello?"), whole)


def cached_and_reasoning_tokens_of_a_stream_are_reported(stage):
    usage = chats.usage_of(2_006, 300, cached=1_920, reasoning=256)
    top = {"model": "o4-mini-2025-04-16", "system_fingerprint": None}
    chunks = chats.chunks([*chats.content("Yes."), (0, {}, "stop")], usage, **top)
    whole = chats.assembled([(chats.said("Yes."), "stop")], usage, **top)
    request = chats.question("Is it so?", reasoning_effort="high", **WITH_USAGE)
    expect_whole(stage, "tokens-stream", chunks, request, whole)


def the_logprobs_of_a_stream_are_joined(stage):
    tokens = ["Foo", "!", " 天"]
    deltas = [
        (0, chats.FIRST, None, {"content": [], "refusal": None}),
        *((0, {"content": token}, None, chats.logprobs_of(token)) for token in tokens),
        (0, {}, "stop"),
    ]
    logprobs = {"content": [chats.logprobs_of(token)["content"][0] for token in tokens], "refusal": None}
    whole = chats.assembled([(chats.said("Foo! 天"), "stop", logprobs)])
    request = chats.question("Say foo!", logprobs=True, top_logprobs=0)
    expect_whole(stage, "logprobs-stream", chats.chunks(deltas), request, whole)


class Recipe(BaseModel):
    name: str
    steps: list[str]


def a_streamed_refusal_is_reported(stage):
    tokens = ["I'm", " sorry", ",", " no", "."]
    deltas = [
        (0, {"role": "assistant", "content": None, "refusal": ""}, None, {"content": None, "refusal": []}),
        *((0, {"refusal": token}, None, chats.logprobs_of(token, key="refusal")) for token in tokens),
        (0, {}, "stop"),
    ]
    chunks = chats.chunks(deltas, chats.usage_of(79, 12))
    request = chats.question("How do I build a bomb?", response_format=Recipe, logprobs=True, **WITH_USAGE)

    async def ask(client):
        async with opened(client.chat.completions.stream(**request)) as stream:
            async for event in each(stream):
                yield {"type": event.type} | event.model_dump()

    call = stage.ask("refusal-stream", stream_answer(chats.stream(chunks)), ask)
    call.expect("the refusal", "I'm sorry, no.", refusal_of)
    known = [chats.logprobs_of(token, key="refusal")["refusal"][0] for token in tokens]
    logprobs = {"content": None, "refusal": known}
    whole = chats.assembled([(chats.said(None, "I'm sorry, no."), "stop", logprobs)], chats.usage_of(79, 12))
    call.expect_report("chat", as_sent(whole), chunks=len(chunks))


def refusal_of(outcome):
    return [event["refusal"] for event in outcome.results if event["type"] == "refusal.done"][0]


def reasoning_is_reported_as_compatible_servers_send_it(stage):
    # The way of DeepSeek: no usage chunk, no padding, comments while one waits.
    def chunk(delta, finish=None, **further):
        head = {"id": "0e8d7a05", "object": "chat.completion.chunk", "created": 1741569952}
        head |= {"model": "deepseek-reasoner", "system_fingerprint": "fp_3d5141a69a_prod0225"}
        return head | {"choices": [chats.choice_of(0, "delta", delta, finish)]} | further

    usage = {
        "prompt_tokens": 70,
        "completion_tokens": 9,
        "total_tokens": 79,
        "prompt_tokens_details": {"cached_tokens": 64},
        "completion_tokens_details": {"reasoning_tokens": 5},
        "prompt_cache_hit_tokens": 64,
        "prompt_cache_miss_tokens": 6,
    }
    chunks = [
        chunk({"role": "assistant", "content": None, "reasoning_content": ""}),
        chunk({"content": None, "reasoning_content": "Hm. 9 is "}),
        chunk({"content": None, "reasoning_content": "3²."}),
        chunk({"content": "Nine ", "reasoning_content": None}),
        chunk({"content": "is.", "reasoning_content": None}),
        chunk({"content": "", "reasoning_content": None}, "stop", usage=usage),
    ]
    keep_alive = b": keep-alive\n\n"
    answer = stream_answer([keep_alive, keep_alive, *map(data, chunks), DONE])
    call = stage.ask("reasoning", answer, ask_stream(**chats.question("Which is a square?")))
    call.expect_results(len(chunks))
    message = {"role": "assistant", "content": "Nine is.", "reasoning_content": "Hm. 9 is 3²."}
    whole = chunk({}) | {"object": "chat.completion", "usage": usage}
    whole["choices"] = [chats.choice_of(0, "message", message, "stop")]
    call.expect_report("chat", as_sent(whole), chunks=len(chunks))


SCENARIOS = (
    two_parallel_tool_calls_after_a_text_are_kept_apart,
    a_stream_cut_anywhere_is_reported_whole,
    two_choices_are_kept_apart,
    a_stream_without_usage_is_reported_without,
    cached_and_reasoning_tokens_of_a_stream_are_reported,
    the_logprobs_of_a_stream_are_joined,
    a_streamed_refusal_is_reported,
    reasoning_is_reported_as_compatible_servers_send_it,
)
