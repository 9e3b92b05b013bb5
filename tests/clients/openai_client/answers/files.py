"""Files, the same each time they are made."""

import io
import random
import struct
import wave
import zlib


def png(width, height, seed):
    """A picture of noise, which no compression makes smaller."""
    noise = random.Random(seed)
    rows = b"".join(b"\0" + noise.randbytes(3 * width) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def wav(seconds):
    """Noise, mono, of 16 kHz."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(random.Random(seconds).randbytes(2 * 16_000 * seconds))
    return file.getvalue()


def mp3(frames):
    """Frames of 48 kbit/s at 24 kHz, of whatever sound."""
    noise = random.Random(frames)
    return b"".join(b"\xff\xf3\x64\xc4" + noise.randbytes(140) for _ in range(frames))
