"""Images: links are reported as they are, data leaves a file name and is uploaded by itself."""

import base64
import re

from ..answers import files
from ..answers.wire import endless_answer, event, json_answer, json_body, stream_answer
from ..clients import opened, settled, streamed, take, whole
from ..comparing import as_sent

CREATED = 1741569952
USAGE = {
    "input_tokens": 14,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 14},
    "output_tokens": 272,
    "output_tokens_details": {"image_tokens": 272, "text_tokens": 0},
    "total_tokens": 286,
}
SETTINGS = {"output_format": "png", "quality": "low", "size": "1024x1024"}

SMALL = base64.b64encode(files.png(4, 4, 1)).decode()
# More than the worker reads by itself.
LARGE = base64.b64encode(files.png(256, 256, 2)).decode()


def answer_with(data):
    return {"created": CREATED, "background": "opaque", "data": data, **SETTINGS, "usage": USAGE}


def file_name(index, created=CREATED):
    return re.compile(rf"[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}-{created}-{index}\.png")


def reported(answer):
    """An answer with file names instead of data."""
    return as_sent(answer | {"data": []}) | {"data": [file_name(index) for index in range(len(answer["data"]))]}


def file_of(name, kind, data):
    return {"filename": name, "contentType": kind, "bytes": len(data)}


def links_to_images_are_reported_as_they_are(stage):
    url = "https://oaidalleapiprodscus.blob.core.windows.net/private/img-1.png?st=2026-11-06T08%3A49%3A37Z&sig=x%2By%3D"
    data = [{"revised_prompt": "A tabby cat – asleep", "url": url}]
    body = json_body({"created": CREATED, "data": data})
    request = {"model": "dall-e-3", "prompt": "a cat", "response_format": "url", "size": "1024x1024"}
    call = stage.ask("image-link", json_answer(body), whole(lambda client: client.images.generate(**request)))
    call.expect("the link", url, lambda outcome: outcome.results[0]["data"][0]["url"])
    call.expect_report("image-generation", body)


def the_data_of_images_is_uploaded_after_the_report(stage):
    images = [{"b64_json": SMALL}, {"b64_json": LARGE}, {"b64_json": SMALL}]
    answer = answer_with(images)
    request = {"model": "gpt-image-1", "prompt": "a plain red circle", "n": 3, "background": "opaque", "quality": "low"}
    ask = whole(lambda client: client.images.generate(**request))
    call = stage.ask("image-data", json_answer(json_body(answer)), ask)
    call.expect("the second image", LARGE, lambda outcome: outcome.results[0]["data"][1]["b64_json"])
    call.expect_report("image-generation", reported(answer), images=tuple(images))


def a_stream_of_images_is_reported_as_its_last_and_uploaded(stage):
    about = {"background": "opaque", "created_at": CREATED, **SETTINGS}
    partial = {"type": "image_generation.partial_image", **about}
    events = [
        partial | {"partial_image_index": 0, "b64_json": SMALL},
        partial | {"partial_image_index": 1, "b64_json": SMALL},
        {"type": "image_generation.completed", **about, "b64_json": LARGE, "usage": USAGE},
    ]
    request = {"model": "gpt-image-1", "prompt": "a cat, slowly", "partial_images": 2, "stream": True}
    ask = streamed(lambda client: client.images.generate(**request))
    call = stage.ask("image-stream", stream_answer(map(event, events)), ask)
    call.expect_results(len(events))
    images = [{"b64_json": LARGE}]
    call.expect_report("image-generation", reported(answer_with(images)), images=tuple(images), chunks=len(events))


def a_stream_of_images_that_is_closed_is_reported_with_its_last_preview(stage):
    about = {"type": "image_generation.partial_image", "background": "opaque", "created_at": CREATED, **SETTINGS}
    previews = [about | {"partial_image_index": place, "b64_json": data} for place, data in enumerate((SMALL, LARGE))]

    async def ask(client):
        request = {"model": "gpt-image-1", "prompt": "a cat, in time", "partial_images": 3, "stream": True}
        async with opened(await settled(client.images.generate(**request))) as stream:
            for piece in await take(stream, len(previews)):
                yield piece

    call = stage.ask("image-closed", endless_answer(map(event, previews)), ask)
    call.expect_results(len(previews))
    call.expect_abandoned()
    images = ({"b64_json": LARGE},)
    # When they were made only the end would have said.
    partial = {"data": [file_name(0, created=r"\d+")]}
    call.expect_report("image-generation", partial, images=images, chunks=len(previews), outcome="abandoned")


def an_edit_is_reported_by_its_fields_and_files(stage):
    cat, hat, mask = (files.png(8, 8, seed) for seed in (3, 4, 5))
    request = {
        "model": "gpt-image-1",
        "image": [("cat.png", cat, "image/png"), ("hät.png", hat, "image/png")],
        "mask": ("mask.png", mask, "image/png"),
        "prompt": "Put the hat on the cat – “gently”.",
        "n": 1,
        "size": "1024x1024",
    }
    answer = answer_with([{"b64_json": LARGE}])
    call = stage.ask("edit", json_answer(json_body(answer)), whole(lambda client: client.images.edit(**request)))
    call.expect_results(1)
    form = {
        "image[]": [file_of("cat.png", "image/png", cat), file_of("hät.png", "image/png", hat)],
        "mask": file_of("mask.png", "image/png", mask),
        "prompt": request["prompt"],
        "model": "gpt-image-1",
        "n": "1",
        "size": "1024x1024",
    }
    call.expect_report("image-edit", reported(answer), request=as_sent(form), images=({"b64_json": LARGE},))


def a_streamed_edit_is_reported_and_uploaded(stage):
    cat = files.png(8, 8, 3)
    about = {"background": "opaque", "created_at": CREATED, **SETTINGS}
    events = [
        {"type": "image_edit.partial_image", **about, "partial_image_index": 0, "b64_json": SMALL},
        {"type": "image_edit.completed", **about, "b64_json": LARGE, "usage": USAGE},
    ]
    image = ("cat.png", cat, "image/png")
    request = {"model": "gpt-image-1", "image": image, "prompt": "a hat", "partial_images": 1, "stream": True}
    ask = streamed(lambda client: client.images.edit(**request))
    call = stage.ask("edit-stream", stream_answer(map(event, events)), ask)
    call.expect_results(len(events))
    form = {"image": file_of("cat.png", "image/png", cat), "prompt": "a hat", "model": "gpt-image-1"}
    form |= {"partial_images": "1", "stream": "true"}
    call.expect_report(
        "image-edit",
        reported(answer_with([{}])),
        request=as_sent(form),
        images=({"b64_json": LARGE},),
        chunks=len(events),
    )


def a_variation_is_reported_by_its_fields_and_file(stage):
    cat = files.png(8, 8, 3)
    body = json_body({"created": CREATED, "data": [{"url": "https://x/y.png"}, {"url": "https://x/z.png"}]})
    # A file without a name of its own, as an application would send what it has in memory.
    ask = whole(lambda client: client.images.create_variation(model="dall-e-2", image=cat, n=2))
    call = stage.ask("variation", json_answer(body), ask)
    call.expect_results(1)
    form = {"image": file_of("upload", "application/octet-stream", cat), "model": "dall-e-2", "n": "2"}
    call.expect_report("image-variation", body, request=as_sent(form))


SCENARIOS = (
    links_to_images_are_reported_as_they_are,
    the_data_of_images_is_uploaded_after_the_report,
    a_stream_of_images_is_reported_as_its_last_and_uploaded,
    a_stream_of_images_that_is_closed_is_reported_with_its_last_preview,
    an_edit_is_reported_by_its_fields_and_files,
    a_streamed_edit_is_reported_and_uploaded,
    a_variation_is_reported_by_its_fields_and_file,
)
