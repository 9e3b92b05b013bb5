"""What is checked, one promise a function."""

from . import anthropic, bedrock, gemini

STORIES = (
    anthropic,
    gemini,
    bedrock,
)

PROVIDERS = [story.PROVIDER for story in STORIES]


SCENARIOS = [scenario for story in STORIES for scenario in story.SCENARIOS]
