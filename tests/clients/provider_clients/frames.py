"""The binary framing of Amazon's event streams."""

import json
import struct
import zlib

# The type of a header whose value is a text.
TEXT = 7


def event(name, value):
    return frame({":event-type": name, ":content-type": "application/json", ":message-type": "event"}, value)


def exception(name, value):
    return frame({":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}, value)


def frame(headers, value):
    """Lengths and their checksum, headers, JSON, and the checksum of all of it."""
    head = b"".join(map(header, headers, headers.values()))
    payload = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    lengths = struct.pack(">II", len(head) + len(payload) + 16, len(head))
    checked = lengths + checksum(lengths) + head + payload
    return checked + checksum(checked)


def header(name, value):
    name, value = name.encode(), value.encode()
    return struct.pack(">B", len(name)) + name + struct.pack(">BH", TEXT, len(value)) + value


def checksum(data):
    return struct.pack(">I", zlib.crc32(data))
