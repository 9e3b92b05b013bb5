"""The servers on both sides of a gateway."""

import re
import socket
import sys
import threading
import traceback
from collections import defaultdict
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .comparing import parsed

# The longest that anything is waited for. Nothing takes this long unless something is wrong.
PATIENCE = 15

# Says to the upstream which answer is wanted. To a gateway it is a header like any other.
STORY_HEADER = "x-story"


class Server(ThreadingHTTPServer):
    """A server on a free port, each connection on a thread of its own."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.changed = threading.Condition()
        self.problems = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        # Clients may go away at any time. Anything else is a defect of this check.
        if not isinstance(sys.exception(), ConnectionError):
            self.problems.append(traceback.format_exc())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def date_time_string(self, timestamp=None):
        # Always the same, so that a `date` that is not passed on is seen.
        return "Fri, 06 Nov 2026 08:49:37 GMT"

    def read_body(self):
        if "transfer-encoding" not in self.headers:
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def send_whole(self, status, headers, body):
        self.begin(status, headers | {"content-length": str(len(body))})
        self.wfile.write(body)

    def begin(self, status, headers):
        self.send_response(status)
        for name, values in headers.items():
            for value in [values] if isinstance(values, str) else values:
                self.send_header(name, value)
        self.end_headers()


@dataclass
class Received:
    """A request as the upstream got it."""

    method: str
    target: str
    headers: dict
    body: bytes
    # Whether whoever asked went away before the end of the answer.
    is_abandoned: bool = False

    def without_boundary(self):
        """The same with a boundary that is not random, which the one of each form is."""
        kind = self.headers.get("content-type", [""])[0]
        boundary = re.search("boundary=([0-9a-f]{32})", kind)
        if not boundary:
            return self
        headers = self.headers | {"content-type": [kind.replace(boundary[1], "B" * 32)]}
        return Received(self.method, self.target, headers, self.body.replace(boundary[1].encode(), b"B" * 32))


class Upstream(Server):
    """A small OpenAI. It answers each story as it was told to."""

    def __init__(self):
        super().__init__(UpstreamHandler)
        self.answers = {}
        self.received = defaultdict(list)

    def note(self, story, received):
        with self.changed:
            self.received[story].append(received)

    def wait_until_abandoned(self, story):
        """Whether all who asked went away."""
        received = self.received[story]
        with self.changed:
            return self.changed.wait_for(lambda: all(one.is_abandoned for one in received), PATIENCE)


class UpstreamHandler(Handler):
    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.answer()

    def answer(self):
        body = self.read_body()
        headers = defaultdict(list)
        for name, value in self.headers.items():
            headers[name.lower()].append(value)
        self.received = Received(self.command, self.path, dict(headers), body)
        story = self.headers[STORY_HEADER]
        self.server.note(story, self.received)
        self.server.answers[story](self)

    def begin_stream(self, headers):
        self.begin(200, headers | {"transfer-encoding": "chunked"})

    def send_piece(self, piece):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))

    def end_stream(self):
        self.wfile.write(b"0\r\n\r\n")

    def wait_until_abandoned(self):
        self.connection.settimeout(PATIENCE)
        try:
            gone = self.connection.recv(1) == b""
        except ConnectionError:
            gone = True
        except TimeoutError:
            gone = False
        self.close_connection = True
        with self.server.changed:
            self.received.is_abandoned = gone
            self.server.changed.notify_all()

    def break_off(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


@dataclass
class Post:
    """What a collector got."""

    path: str
    headers: dict
    text: str
    body: dict


class Collector(Server):
    """A Reconify that keeps what it gets."""

    def __init__(self):
        super().__init__(CollectorHandler)
        self.posts = []
        self.patience = PATIENCE

    @property
    def reports(self):
        return [post for post in self.posts if post.path == "/track"]

    @property
    def uploads(self):
        return [post for post in self.posts if post.path == "/upload"]

    def wait_for(self, find):
        """What is found among the posts, once it is there."""
        with self.changed:
            if not self.changed.wait_for(lambda: find(self), self.patience):
                # A gateway that does not report is found out once; to wait as long for all others would take an hour.
                self.patience = 1
            return find(self)

    def report_of(self, session):
        """The first report of a session."""
        return self.wait_for(
            lambda self: next((post for post in self.reports if post.body["session"] == session), None)
        )

    def upload_of(self, filename):
        """The first upload of a file."""
        return self.wait_for(
            lambda self: next((post for post in self.uploads if post.body["upload"]["filename"] == filename), None)
        )


class CollectorHandler(Handler):
    def do_POST(self):
        text = self.read_body().decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.server.changed:
            if self.path in ("/track", "/upload") and headers["content-type"] == "application/json":
                self.server.posts.append(Post(self.path, headers, text, parsed(text)))
            else:
                self.server.problems.append(f"POST {self.path} of {headers['content-type']}")
            self.server.changed.notify_all()
        self.send_whole(200, {"content-type": "application/json"}, b'{"status":"ok"}')
