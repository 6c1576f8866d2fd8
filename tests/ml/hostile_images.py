"""Files that pass for images and are none, or are made to take memory and time: name → (base64 or data: URI)."""

from __future__ import annotations

import base64
import io
import struct
import zipfile
import zlib
from functools import cache

from PIL import Image

MAGIC = b"\x89PNG\r\n\x1a\n"


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(
    width: int, height: int, pixels: bytes = b"", *between: bytes, depth: int = 8, kind: int = 0
) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    return MAGIC + head + b"".join(between) + chunk(b"IDAT", zlib.compress(pixels, 9)) + chunk(b"IEND", b"")


def saved(format: str, mode: str = "L", size: tuple[int, int] = (40, 30), **options: object) -> bytes:
    made = io.BytesIO()
    Image.new(mode, size, 128 if mode in ("L", "P") else 0).save(made, format, **options)
    return made.getvalue()


def _moving(format: str) -> bytes:
    made = io.BytesIO()
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    frames[0].save(made, format, save_all=True, append_images=frames[1:])
    return made.getvalue()


def _scans(n: int) -> bytes:
    """A progressive JPEG of two thousand pixels a side, with one of its scans n times more."""
    made = saved("JPEG", size=(2000, 2000), progressive=True)
    scan = made.rindex(b"\xff\xda")
    return made[:-2] + made[scan:-2] * n + made[-2:]


def _webp(width: int, height: int) -> bytes:
    """A WebP whose first chunk announces a canvas of this size, and that holds a tiny picture."""
    inner = saved("WEBP", "RGB", (4, 4), lossless=True)[12:]
    canvas = struct.pack("<I", 0) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + canvas + inner
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _archive() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a.txt", "b" * 100)
    return made.getvalue()


@cache
def cases() -> dict[str, str]:
    """All of them; every one is refused."""
    good, jpeg = png(8, 8, b"\0" * 72), saved("JPEG")
    lossless = saved("WEBP", "RGB", lossless=True)
    texts = chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 900_000, 9))
    bombs = {
        "a PNG of 50,000 × 50,000": png(50_000, 50_000, b"\0" * 5_000_000),
        "a PNG that says it is large and is not": png(2**31 - 1, 2**31 - 1),
        "a JPEG of 65,500 × 65,500": jpeg.replace(struct.pack(">HH", 30, 40), b"\xff\xdc\xff\xdc", 1),
        "a WebP with a canvas of 16,384 × 16,384": _webp(16_384, 16_384),
        "a WebP that says it is large": lossless.replace(b"\x2f", b"\x2f\xff\xff\xff\x0f", 1),
        "texts that unpack to 90 MB": png(8, 8, b"\0" * 72, *[texts] * 100),
        "an ICC profile that unpacks to 100 MB": png(
            8, 8, b"\0" * 72, chunk(b"iCCP", b"a\0\0" + zlib.compress(b"x" * 100_000_000, 9))
        ),
        "a JPEG of 20,000 scans": _scans(20_000),
    }
    broken = {
        "a PNG cut short": good[:-20],
        "a PNG without an end": good[:-12],
        "a PNG with one byte flipped": good[:50] + bytes([good[50] ^ 255]) + good[51:],
        "a PNG of 0 × 0": png(0, 0),
        "a PNG 0 high": png(8, 0),
        "a PNG that is only its first bytes": MAGIC,
        "a PNG of no known depth": png(8, 8, b"\0" * 72, depth=7),
        "a PNG with fewer rows than it says": png(8, 8, b"\0" * 20),
        "a JPEG cut short": jpeg[: len(jpeg) // 2],
        "a JPEG that is only its first bytes": jpeg[:3],
        "a JPEG 0 high": jpeg.replace(struct.pack(">HH", 30, 40), struct.pack(">HH", 0, 40), 1),
        "a WebP cut short": saved("WEBP", "RGB")[:-20],
        "a WebP that is only its first bytes": b"RIFF\x10\0\0\0WEBPVP8 ",
        "zeros": b"\0" * 1000,
        "nothing": b"",
    }
    others = {
        "a GIF": saved("GIF", "P"),
        "a TIFF": saved("TIFF"),
        "a BMP": saved("BMP"),
        "an icon": saved("ICO", "RGB"),
        "an SVG": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "a page": b"<!doctype html><script>alert(1)</script>",
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n",
        "a PDF": b"%PDF-1.7\n",
        "a PNG that is a ZIP too": good + _archive(),
        "a WebP that is a ZIP too": saved("WEBP", "RGB") + _archive(),
        "a moving PNG": _moving("PNG"),
        "a moving WebP": _moving("WEBP"),
        "a JPEG in CMYK": saved("JPEG", "CMYK"),
    }
    made = {name: text(data) for name, data in {**bombs, **broken, **others}.items()}
    return made | {
        "base64 with junk": text(good)[:20] + "!?" + text(good)[20:],
        "base64 of another alphabet": "_-" + text(good)[2:],
        "base64 that ends early": text(good).rstrip("=")[:-1],
        "a path": "/etc/passwd",
        "a file's address": "file:///etc/passwd",
        "an address": "https://example.org/digit.png",
        "a data: URI of an SVG": f"data:image/svg+xml;base64,{text(good)}",
        "a data: URI of a page": f"data:text/html;base64,{text(good)}",
        "a data: URI that is no base64": "data:image/png,abc",
        "a data: URI that says another type": f"data:image/jpeg;base64,{text(good)}",
        "letters that no base64 has": "ﬀ" * 50,
        "more than there may be": text(good) + "A" * 1_000_000,
    }
