"""Who asks, for the clients of all providers."""

import os
from dataclasses import dataclass

from .servers import STORY_HEADER

# Everything is on this machine: a proxy could not reach it.
for variable in ("http_proxy", "https_proxy", "all_proxy"):
    os.environ.pop(variable, None)
    os.environ.pop(variable.upper(), None)

API_KEY = "sk-of-the-check"
IDENTITY_HEADERS = ("x-user-id", "x-user-email", "x-session-id")
# They concern one connection, not the exchange.
CONNECTION_HEADERS = ("connection", "keep-alive", "transfer-encoding")
# A gateway adds them to a request.
GATEWAY_HEADERS = ("via", "x-request-id")


@dataclass(frozen=True)
class Caller:
    """Who asks. A gateway takes it from headers of its own."""

    story: str
    is_known: bool = True

    @property
    def headers(self):
        known = dict(zip(IDENTITY_HEADERS, (*self.user.values(), self.session))) if self.is_known else {}
        return {STORY_HEADER: self.story} | known

    @property
    def user(self):
        return {"userId": f"user-{self.story}", "email": f"{self.story}@example.com"} if self.is_known else {}

    @property
    def session(self):
        return f"session-{self.story}" if self.is_known else None
