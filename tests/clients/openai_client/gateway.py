"""The gateway, as a process of its own."""

import os
import re
import signal
import subprocess
import threading
from collections import Counter

from .callers import API_KEY as CALLERS_KEY
from .comparing import expect, expect_same
from .servers import PATIENCE, Collector

APP_KEY = "app-key-of-the-check"
API_KEY = "api-key-of-the-check"

# Everything is reported, with everything that is known, and as it was sent.
THOROUGH = {
    "RECONIFY_CAPTURE": "all",
    "RECONIFY_METADATA": "1",
    "RECONIFY_REPORT_FAILURES": "1",
    "RECONIFY_RESPONSES": "verbatim",
}


class Gateway:
    """A gateway between the client and the base URLs of upstreams, with a collector for its reports."""

    def __init__(self, binary, bases, is_thorough):
        self.is_thorough = is_thorough
        self.name = "the thorough gateway" if is_thorough else "the gateway"
        self.collector = Collector()
        # What is to be true of it at its end.
        self.expected_sessions = []
        self.expected_uploads = 0
        self.expected_refusals = 0
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RECONIFY_")}
        environment |= {
            "LISTEN_ADDR": "127.0.0.1:0",
            "RECONIFY_ENDPOINT": f"{self.collector.address}/track",
            "RECONIFY_APP_KEY": APP_KEY,
            "RECONIFY_API_KEY": API_KEY,
            **bases,
            **(THOROUGH if is_thorough else {}),
        }
        self.process = subprocess.Popen(
            [binary], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines = []
        self.has_ended = False
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        # Its output has to be read to its end: a full pipe would hold it up.
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.has_ended = True
            self.changed.notify_all()

    def wait_for_address(self):
        def found():
            matches = (re.fullmatch(r"listening on (http://\S+)", line) for line in self.lines)
            return next((match[1] for match in matches if match), None)

        with self.changed:
            self.changed.wait_for(lambda: found() or self.has_ended, PATIENCE)
            expect(found(), f"{self.name} does not listen")
            return found()

    def stop(self):
        """Asks it to stop, and returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        return code

    def expect_good_end(self):
        """Stops it, and expects that it has reported each call once and lost none."""
        code = self.stop()
        expect(code == 0, f"{self.name} ended with {code}")
        sessions = Counter(post.body["session"] for post in self.collector.reports)
        expect_same(dict(sessions), dict(Counter(self.expected_sessions)), f"{self.name}: the reports of each session")
        expect_same(len(self.collector.uploads), self.expected_uploads, f"{self.name}: the number of uploads")
        keys = [post.headers["idempotency-key"] for post in self.collector.posts]
        expect_same(len(set(keys)), len(keys), f"{self.name}: the number of different keys")
        lost = [line for line in self.lines if line.startswith("not delivered")]
        expect_same(lost, [], f"{self.name}: what it says it lost")
        expected = self.final_counts()
        expect_same(self.lines[-1], expected, f"{self.name}: what it counted")
        expect_same(self.collector.problems, [], f"{self.name}: the problems of its collector")

    def final_counts(self):
        delivered, refused = len(self.expected_sessions), self.expected_refusals
        withheld = f"{refused} withheld (refused {refused})" if refused else "0 withheld"
        return (
            f"final counts: {delivered + refused} captured = {delivered} delivered + 0 rejected"
            f" + 0 dropped + {withheld} + 0 pending + 0 spooled"
        )

    def expect_no_key(self):
        """Expects that neither its reports nor its output contain the caller's key."""
        told = [post.text for post in self.collector.posts] + self.lines
        expect(not any(CALLERS_KEY in text for text in told), f"{self.name} tells the key")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
