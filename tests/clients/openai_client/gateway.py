"""The gateway, as a process of its own."""

import os
import re
import signal
import subprocess
import threading

from .comparing import expect
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
    """A gateway between the client and the upstream, with a collector for its reports."""

    def __init__(self, binary, upstream, is_thorough):
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
            "OPENAI_BASE_URL": f"{upstream.address}/v1",
            "RECONIFY_ENDPOINT": f"{self.collector.address}/track",
            "RECONIFY_APP_KEY": APP_KEY,
            "RECONIFY_API_KEY": API_KEY,
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

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
