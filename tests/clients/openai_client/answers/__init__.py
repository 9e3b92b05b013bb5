"""What the upstream answers, in the shapes that OpenAI sends."""
