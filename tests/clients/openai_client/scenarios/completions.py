"""Text completions."""

from ..answers.wire import DONE, data, endless_answer, json_answer, json_body, stream_answer
from ..clients import opened, settled, streamed, take, whole
from ..comparing import as_sent

MODEL = "gpt-3.5-turbo-instruct"
HEAD = {"id": "cmpl-BQ1", "object": "text_completion", "created": 1741569952}
USAGE = {"prompt_tokens": 4, "completion_tokens": 6, "total_tokens": 10}


def a_text_completion_is_passed_on_and_reported(stage):
    choice = {"text": "\n\nthere was a crab.", "index": 0, "logprobs": None, "finish_reason": "stop"}
    body = json_body(HEAD | {"model": f"{MODEL}:20230824-v2", "choices": [choice], "usage": USAGE})
    ask = whole(lambda client: client.completions.create(model=MODEL, prompt="Once upon a time", top_p=1e-05))
    call = stage.ask("completion", json_answer(body), ask)
    call.expect("the text", choice["text"], lambda outcome: outcome.results[0]["choices"][0]["text"])
    call.expect_report("completion", body)


def a_streamed_text_completion_is_reported_whole(stage):
    # (text, index, tokens, reason for its end)
    pieces = [
        ("\n\nthere ", 0, ["\n\n", "there "], None),
        (" lived", 1, [" lived"], None),
        ("were", 0, ["were"], None),
        (" two.", 0, [" two."], "stop"),
        (" a", 1, [" a"], "length"),
    ]

    def choice(text, index, tokens, finish, offset):
        logprobs = {
            "tokens": tokens,
            "token_logprobs": [-0.25 * len(token) for token in tokens],
            "top_logprobs": [{token: -0.25 * len(token)} for token in tokens],
            "text_offset": [offset + len("".join(tokens[:place])) for place in range(len(tokens))],
        }
        return {"text": text, "index": index, "logprobs": logprobs, "finish_reason": finish}

    offsets = [16, 16, 16 + 8, 16 + 12, 16 + 6]
    chunks = [
        HEAD | {"choices": [choice(*piece, offset)], "model": MODEL, "usage": None}
        for piece, offset in zip(pieces, offsets)
    ]
    chunks.append(HEAD | {"choices": [], "model": MODEL, "usage": USAGE})
    request = {"model": MODEL, "prompt": "Twice upon a time", "n": 2, "logprobs": 1, "max_tokens": 5}
    options = {"stream": True, "stream_options": {"include_usage": True}}
    ask = streamed(lambda client: client.completions.create(**request, **options))
    call = stage.ask("completion-stream", stream_answer([*map(data, chunks), DONE]), ask)
    call.expect_results(len(chunks))
    choices = [
        choice("\n\nthere were two.", 0, ["\n\n", "there ", "were", " two."], "stop", 16),
        choice(" lived a", 1, [" lived", " a"], "length", 16),
    ]
    whole_answer = HEAD | {"choices": choices, "model": MODEL, "usage": USAGE}
    call.expect_report("completion", as_sent(whole_answer), chunks=len(chunks))


def a_streamed_text_completion_that_is_closed_is_reported_as_far_as_it_went(stage):
    def choice(text):
        return {"text": text, "index": 0, "logprobs": None, "finish_reason": None}

    chunks = [HEAD | {"choices": [choice(text)], "model": MODEL} for text in ("there ", "we")]

    async def ask(client):
        create = client.completions.create
        async with opened(await settled(create(model=MODEL, prompt="Once more", stream=True))) as stream:
            for piece in await take(stream, len(chunks)):
                yield piece

    call = stage.ask("completion-closed", endless_answer(map(data, chunks)), ask)
    call.expect_results(len(chunks))
    call.expect_abandoned()
    partial = HEAD | {"choices": [choice("there we")], "model": MODEL}
    call.expect_report("completion", as_sent(partial), chunks=len(chunks), outcome="abandoned")


SCENARIOS = (
    a_text_completion_is_passed_on_and_reported,
    a_streamed_text_completion_is_reported_whole,
    a_streamed_text_completion_that_is_closed_is_reported_as_far_as_it_went,
)
