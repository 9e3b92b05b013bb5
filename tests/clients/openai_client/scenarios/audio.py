"""Sound, in both directions. It is reported only where that is asked for."""

import base64
import io

from ..answers import files
from ..answers.wire import DONE, JSON_HEADERS, STREAM_HEADERS, data, json_answer, json_body, stream_answer, whole_answer
from ..clients import each, opened, settled, streamed, whole
from ..comparing import as_sent

SOUND = files.wav(2)
USAGE = {
    "type": "tokens",
    "total_tokens": 62,
    "input_tokens": 57,
    "input_token_details": {"text_tokens": 0, "audio_tokens": 57},
    "output_tokens": 5,
}
FILE = {"filename": "hello.wav", "contentType": "audio/x-wav", "bytes": len(SOUND)}


def named(file):
    """A file as an application would open it."""
    sound = io.BytesIO(file)
    sound.name = "hello.wav"
    return sound


def form(**fields):
    return as_sent({"file": FILE} | fields)


def a_transcription_is_reported_by_its_fields_and_file(stage):
    body = json_body({"text": "Grüß dich – あたし", "usage": USAGE})
    ask = whole(
        lambda client: client.audio.transcriptions.create(
            model="gpt-4o-transcribe", file=named(SOUND), language="de", include=["logprobs"]
        )
    )
    call = stage.ask("transcription", json_answer(body), ask)
    call.expect("the text", "Grüß dich – あたし", lambda outcome: outcome.results[0]["text"])
    asked = form(model="gpt-4o-transcribe", language="de", **{"include[]": "logprobs"})
    call.expect_report("transcription", body, request=asked)


def a_streamed_transcription_is_reported_whole(stage):
    end = {"type": "transcript.text.done", "text": "Grüß dich.", "usage": USAGE}
    pieces = [{"type": "transcript.text.delta", "delta": piece} for piece in ("Grüß", " dich", ".")]
    events = [*pieces, end]
    ask = streamed(
        lambda client: client.audio.transcriptions.create(model="gpt-4o-transcribe", file=named(SOUND), stream=True)
    )
    call = stage.ask("transcription-stream", stream_answer([*map(data, events), DONE]), ask)
    call.expect_results(len(events))
    spoken = as_sent({"text": "Grüß dich.", "usage": USAGE})
    call.expect_report(
        "transcription", spoken, request=form(model="gpt-4o-transcribe", stream="true"), chunks=len(events)
    )


def a_transcription_as_subtitles_is_reported_as_its_text(stage):
    subtitles = "1\n00:00:00,000 --> 00:00:02,000\nGrüß dich.\n\n"
    headers = JSON_HEADERS | {"content-type": "text/plain; charset=utf-8"}

    async def ask(client):
        create = client.audio.transcriptions.create
        yield await settled(create(model="whisper-1", file=named(SOUND), response_format="srt"))

    call = stage.ask("subtitles", whole_answer(subtitles.encode(), headers), ask)
    call.expect("the subtitles", [subtitles], lambda outcome: outcome.results)
    call.expect_report("transcription", {"text": subtitles}, request=form(model="whisper-1", response_format="srt"))


def a_translation_is_reported_by_its_fields_and_file(stage):
    body = json_body({"text": "Hello."})
    ask = whole(lambda client: client.audio.translations.create(model="whisper-1", file=named(SOUND)))
    call = stage.ask("translation", json_answer(body), ask)
    call.expect("the text", "Hello.", lambda outcome: outcome.results[0]["text"])
    call.expect_report("translation", body, request=form(model="whisper-1"))


MP3 = files.mp3(400)
MP3_HEADERS = JSON_HEADERS | {"content-type": "audio/mpeg"}
SPEECH = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "Grüß dich.", "response_format": "mp3"}
SPOKEN = as_sent({"contentType": "audio/mpeg", "bytes": len(MP3)})


def speech_is_reported_by_type_and_length(stage):
    async def ask(client):
        response = await settled(client.audio.speech.create(**SPEECH))
        yield response.content

    call = stage.ask("speech", whole_answer(MP3, MP3_HEADERS), ask)
    call.expect("the sound", [MP3], lambda outcome: outcome.results)
    call.expect_report("speech", SPOKEN)


def speech_that_is_played_as_it_comes_is_reported_by_type_and_length(stage):
    def answer(exchange):
        exchange.begin_stream(STREAM_HEADERS | {"content-type": "audio/mpeg"})
        for start in range(0, len(MP3), 4_000):
            exchange.send_piece(MP3[start : start + 4_000])
        exchange.end_stream()

    async def ask(client):
        async with opened(client.audio.speech.with_streaming_response.create(**SPEECH)) as response:
            yield b"".join([piece async for piece in each(response.iter_bytes(1_000))])

    call = stage.ask("speech-stream", answer, ask)
    call.expect("the sound", [MP3], lambda outcome: outcome.results)
    call.expect_report("speech", SPOKEN)


def speech_as_events_is_reported_by_its_usage_and_length(stage):
    sound = base64.b64encode(MP3[:720]).decode()
    usage = {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}
    events = [*({"type": "speech.audio.delta", "audio": sound} for _ in range(3))]
    events.append({"type": "speech.audio.done", "usage": usage})
    pieces = [*map(data, events)]

    async def ask(client):
        create = client.audio.speech.with_streaming_response.create
        async with opened(create(**SPEECH, stream_format="sse")) as response:
            yield b"".join([piece async for piece in each(response.iter_bytes())])

    call = stage.ask("speech-events", stream_answer(pieces), ask)
    call.expect("the events", [b"".join(pieces)], lambda outcome: outcome.results)
    call.expect_report("speech", as_sent({"usage": usage, "bytes": 3 * 720}), chunks=len(events))


SCENARIOS = (
    a_transcription_is_reported_by_its_fields_and_file,
    a_streamed_transcription_is_reported_whole,
    a_transcription_as_subtitles_is_reported_as_its_text,
    a_translation_is_reported_by_its_fields_and_file,
    speech_is_reported_by_type_and_length,
    speech_that_is_played_as_it_comes_is_reported_by_type_and_length,
    speech_as_events_is_reported_by_its_usage_and_length,
)
