"""How streams pass: at once, and several at the same time."""

import threading

from ..answers import chats
from ..answers.wire import DONE, STREAM_HEADERS, data
from ..clients import ASYNC, each, settled
from ..comparing import as_sent
from ..servers import PATIENCE, STORY_HEADER
from .chat_streams import WITH_USAGE, ask_stream


def a_stream_arrives_while_it_is_written(stage):
    words = ["one ", "two ", "three ", "four ", "five"]
    chunks = chats.chunks([*chats.content(*words), (0, {}, "stop")], chats.usage_of(6, 9))
    seen = threading.Semaphore(0)

    def only_when_seen(exchange):
        exchange.begin_stream(STREAM_HEADERS)
        for chunk in chunks:
            exchange.send_piece(data(chunk))
            # Whoever holds a chunk back waits for the next one, which never comes.
            if not seen.acquire(timeout=PATIENCE / 2):
                exchange.break_off()
                return
        exchange.send_piece(DONE)
        exchange.end_stream()

    async def ask(client):
        request = chats.question("Count to five.", **WITH_USAGE)
        async for chunk in each(await settled(client.chat.completions.create(**request, stream=True))):
            seen.release()
            yield chunk.model_dump()

    call = stage.ask("live", only_when_seen, ask)
    call.expect_results(len(chunks))
    whole = chats.assembled([(chats.said("".join(words)), "stop")], chats.usage_of(6, 9))
    call.expect_report("chat", as_sent(whole), chunks=len(chunks))


def callers_who_ask_at_the_same_time_keep_their_names(stage):
    names = [f"number-{n}" for n in range(8)]
    everyone = threading.Barrier(len(names))

    def chunks_for(name):
        return chats.chunks([*chats.content("Hello, ", name, "."), (0, {}, "stop")], id=f"chatcmpl-{name}")

    def together(exchange):
        name = exchange.headers[STORY_HEADER].removesuffix(f"-{ASYNC}")
        exchange.begin_stream(STREAM_HEADERS)
        for chunk in chunks_for(name):
            # Nobody gets the next chunk before everyone has asked for it.
            everyone.wait(PATIENCE)
            exchange.send_piece(data(chunk))
        exchange.send_piece(DONE)
        exchange.end_stream()

    calls = stage.ask_together(names, together, ask_stream(**chats.question("Who am I?")), ASYNC)
    for name, call in calls.items():
        count = len(chunks_for(name))
        call.expect_results(count)
        whole = chats.assembled([(chats.said(f"Hello, {name}."), "stop")], id=f"chatcmpl-{name}")
        call.expect_report("chat", as_sent(whole), chunks=count)


SCENARIOS = (
    a_stream_arrives_while_it_is_written,
    callers_who_ask_at_the_same_time_keep_their_names,
)
