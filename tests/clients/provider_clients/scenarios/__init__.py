"""What is checked, one promise a function."""

from openai_client import endings

from . import anthropic, bedrock, cohere, gemini, mistral, ollama

STORIES = (anthropic, gemini, bedrock, cohere, mistral, ollama)

# The endings are the last, because only what has ended can no longer report anything.
SCENARIOS = [scenario for story in (*STORIES, endings) for scenario in story.SCENARIOS]

PROVIDERS = [story.PROVIDER for story in STORIES]
