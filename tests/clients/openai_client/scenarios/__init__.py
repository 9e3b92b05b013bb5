"""What is checked, one promise a function."""

from .. import endings
from . import (
    audio,
    chat_streams,
    chats,
    completions,
    images,
    interruptions,
    others,
    refusals,
    response_streams,
    responses,
    streaming,
    ways_to_ask,
)

STORIES = (
    chats,
    chat_streams,
    streaming,
    ways_to_ask,
    interruptions,
    refusals,
    completions,
    responses,
    response_streams,
    images,
    audio,
    others,
    # Last, because only what has ended can no longer report anything.
    endings,
)

SCENARIOS = [scenario for story in STORIES for scenario in story.SCENARIOS]
