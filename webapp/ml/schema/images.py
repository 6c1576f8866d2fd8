"""Images as values: base64 in, bytes of the declared size out. Decoded with Pillow, under limits."""

from __future__ import annotations

import base64
import binascii
import re
import struct
import zlib
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal, NamedTuple

from webapp.wording import Figure, said

#: Of a file. As base64 it still fits a line of a batch, and several fit a request body as it is limited by default.
MAX_BYTES: Final = 700_000
#: Characters: the base64 of such a file with the line breaks some programs put in, and what stands before it.
LONGEST: Final = 960_000
#: Looked at in the header, before anything is decoded.
MAX_PIXELS: Final = 4_000_000
MAX_SIDE: Final = 1024
#: Numbers that the images of one request may become: some 60 MB of single floats.
MOST_NUMBERS: Final = 2**24
#: Each goes over the whole image, so that thousands of tiny ones in one JPEG would take minutes.
MOST_SCANS: Final = 64
#: Bytes that all texts within one PNG may grow to.
MOST_TEXT: Final = 4 * 2**20
TYPES: Final = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
_BEFORE: Final = re.compile(r"data:([^,]{0,100}?)(;base64)?,", re.IGNORECASE)
#: How the base64 of each format begins: a text that begins otherwise need not be looked into.
BEGINNINGS: Final = ("iVBORw0KGgo", "/9j/", "UklGR", "data:image/")
_TURNS: Final = {
    2: ("FLIP_LEFT_RIGHT",), 3: ("ROTATE_180",), 4: ("FLIP_TOP_BOTTOM",), 5: ("TRANSPOSE",),
    6: ("ROTATE_270",), 7: ("TRANSVERSE",), 8: ("ROTATE_90",),
}  # fmt: skip
_TINY: Final = 64
_ORIENTATION: Final = 0x0112


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """What an image becomes for the model: `width` × `height` × `channels` numbers from 0 (black) to `scale` (white).

    `fit`: stretch the whole image, or crop it around its middle to the model's proportions. `layout`: the order of
    the numbers, flat being height, width, channel in one row. `mean` and `std`, of `scale`, one a channel, are
    subtracted and divided by.
    """

    width: int
    height: int
    channels: Literal[1, 3] = 1
    scale: float = 1.0
    layout: Literal["flat", "hwc", "chw"] = "flat"
    fit: Literal["stretch", "crop"] = "stretch"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """How many numbers an image becomes."""
        return self.width * self.height * self.channels


class Picture(str):
    """The base64 of an image, that remembers what it was decoded to: height × width × channels bytes, row by row."""

    spec: ImageSpec
    raw: bytes

    def __getnewargs__(self) -> tuple[str]:
        return (str(self),)

    @property
    def brightness(self) -> float:
        """0 (black) to 1 (white), on average."""
        return sum(self.raw) / len(self.raw) / 255


class Unusable(Exception):
    """The message says what is wrong with an image, after “it”."""


class Header(NamedTuple):
    """What the first bytes of a file say; 0 × 0 where they do not say it."""

    format: str
    width: int
    height: int


def read(text: str, spec: ImageSpec) -> Picture:
    """The image that `text` (base64, or a data: URI) holds, decoded and brought to the size of `spec`.

    Raises Unusable, after bounded work: some 40 MB and a tenth of a second at most.
    """
    if isinstance(text, Picture) and text.spec == spec:
        return text
    data, announced = _bytes(text)
    header = _refuse(_header(data), data, announced)
    picture = Picture(base64.b64encode(data).decode())
    picture.spec, picture.raw = spec, _decoded(data, header.format, spec)
    return picture


def describe(value: object) -> str:
    """“image 28×28, 1.2 kB” for the text of an image; empty for any other value."""
    found = _glance(value)
    if found is None:
        return ""
    header, n_bytes = found
    size = Figure(f"{n_bytes / 1000:.1f}" if n_bytes >= 1000 else str(n_bytes))
    unit = "kB" if n_bytes >= 1000 else "B"
    if not header.width:
        return said("image, {size} {unit}", size=size, unit=unit)
    return said(
        "image {width}×{height}, {size} {unit}",
        width=header.width,
        height=header.height,
        size=size,
        unit=unit,
    )


def data_uri(value: object) -> str:
    """The address under which a page shows the text of an image; empty for any other value."""
    found = _glance(value)
    if found is None:
        return ""
    encoded = "".join(str(value).rpartition(",")[2].split())
    # Nothing but the alphabet of base64 gets into a page.
    return (
        f"data:{TYPES[found[0].format]};base64,{encoded}"
        if re.fullmatch(r"[A-Za-z0-9+/]+=*", encoded)
        else ""
    )


def tiny(value: object) -> bool:
    """Whether a value is the text of an image so small that its pixels have to be shown larger than they are."""
    found = _glance(value)
    return found is not None and max(found[0].width, found[0].height) <= _TINY


def grey(spec: ImageSpec, level: int = 128) -> str:
    """The base64 of an image in one grey, 0 to 255."""
    return png(spec, bytes([level]) * spec.size)


def png(spec: ImageSpec, raw: bytes) -> str:
    """The base64 of a PNG of the spec's size; `raw` as in Picture."""
    width = spec.width * spec.channels
    rows = b"".join(b"\0" + raw[i : i + width] for i in range(0, len(raw), width))
    kind = 0 if spec.channels == 1 else 2
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", spec.width, spec.height, 8, kind, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    )
    parts = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    ]
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(parts)).decode()


def _bytes(text: str) -> tuple[bytes, str]:
    """The bytes of an image, and the type that a data: URI announces; that is empty without one."""
    if len(text) > LONGEST:
        raise Unusable(_too_large())
    announced, encoded = "", text
    if before := _BEFORE.match(text):
        announced = before[1].lower()
        if announced not in (*TYPES.values(), "image/jpg") or not before[2]:
            raise Unusable(
                said(
                    "is a data: URI of the type “{type}”; send image/png, image/jpeg or image/webp as base64",
                    type=announced[:40],
                )
            )
        encoded = text[before.end() :]
    try:
        data = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Unusable(
            said("is not base64; send the file's bytes in base64, without a path or a link")
        ) from None
    if not data:
        raise Unusable(said("is empty; send an image"))
    if len(data) > MAX_BYTES:
        raise Unusable(_too_large())
    return data, announced.replace("jpg", "jpeg")


def _too_large() -> str:
    return said("is larger than {most} kB; make it smaller, and send it again", most=MAX_BYTES // 1000)


def _refuse(header: Header | None, data: bytes, announced: str) -> Header:
    """The header, if what it says can be decoded; nothing has been until now."""
    if header is None:
        raise Unusable(said("is no PNG, JPEG or WebP; save it as one of these"))
    if announced and announced != TYPES[header.format]:
        raise Unusable(
            said("says that it is {type} and is not; correct what stands before the comma", type=announced)
        )
    if header.width < 1 or header.height < 1:
        raise Unusable(_damaged())
    if header.width * header.height > MAX_PIXELS:
        raise Unusable(
            said(
                "has {width}×{height} pixels; send one of at most {most} million",
                width=header.width,
                height=header.height,
                most=MAX_PIXELS // 1_000_000,
            )
        )
    if header.format == "JPEG" and data.count(b"\xff\xda") > MOST_SCANS:
        raise Unusable(_damaged())
    whole = {"PNG": data[-8:-4] == b"IEND", "WEBP": len(data) == (_little(data[4:8]) + 9) // 2 * 2}
    if not whole.get(header.format, True):
        raise Unusable(said("ends early, or something else follows it in the file; save it anew"))
    return header


def _damaged() -> str:
    return said("is damaged and cannot be opened; save it anew")


def _header(data: bytes) -> Header | None:
    """Format and size, from the first bytes alone."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        if data[12:16] != b"IHDR" or len(data) < 24:
            return Header("PNG", 0, 0)
        return Header("PNG", *struct.unpack(">II", data[16:24]))
    if data.startswith(b"\xff\xd8\xff"):
        return Header("JPEG", *_jpeg_size(data))
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return Header("WEBP", *_webp_size(data))
    return None


def _jpeg_size(data: bytes) -> tuple[int, int]:
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF:
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if marker == 0xFF:  # filling
            place += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            return width, height
        elif length < 2 or marker in (0xD9, 0xDA):
            break
        else:
            place += 2 + length
    return 0, 0


def _webp_size(data: bytes) -> tuple[int, int]:
    kind, body = data[12:16], data[20:30]
    if len(body) < 10:
        return 0, 0
    if kind == b"VP8X":
        return _little(body[4:7]) + 1, _little(body[7:10]) + 1
    if kind == b"VP8L" and body[0] == 0x2F:
        bits = _little(body[1:5])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        return _little(body[6:8]) & 0x3FFF, _little(body[8:10]) & 0x3FFF
    return 0, 0


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _glance(value: object) -> tuple[Header, int] | None:
    """Header and bytes of the file, if a value is the text of an image; little of it is decoded."""
    if not isinstance(value, str) or not value.startswith(BEGINNINGS):
        return None
    encoded = value[_comma(value) + 1 :]
    begin = "".join(encoded[:200_000].split())  # where a JPEG says its size, after what its camera says
    try:
        header = _header(base64.b64decode(begin[: len(begin) // 4 * 4]))
    except (binascii.Error, ValueError):
        return None
    n_bytes = (len(encoded) - encoded.count("\n") - encoded.count("=")) * 3 // 4
    return (header, n_bytes) if header else None


def _comma(text: str) -> int:
    before = _BEFORE.match(text)
    return before.end() - 1 if before else -1


@cache
def _pillow() -> Any:
    # Heavy, and only models that look at images need it.
    import warnings

    from PIL import Image, ImageOps, PngImagePlugin

    PngImagePlugin.MAX_TEXT_MEMORY = MOST_TEXT
    warnings.filterwarnings("ignore", module="PIL")  # about damage that is looked for, and told, here
    return Image, ImageOps


def _decoded(data: bytes, format: str, spec: ImageSpec) -> bytes:
    import io

    Image, ImageOps = _pillow()
    try:
        with Image.open(io.BytesIO(data), formats=[format]) as opened:
            if getattr(opened, "n_frames", 1) > 1:
                raise Unusable(said("moves; send one picture of it"))
            if opened.size[0] * opened.size[1] > MAX_PIXELS:
                raise Unusable(_damaged())  # it says one size at its beginning, and another later
            opened.load()
            turn = _TURNS.get(_orientation(opened), ())
            image = _plain(opened, "L" if spec.channels == 1 else "RGB")
        for name in turn:
            image = image.transpose(Image.Transpose[name])
        size = (spec.width, spec.height)
        if image.size != size:
            smooth = Image.Resampling.BILINEAR
            image = ImageOps.fit(image, size, smooth) if spec.fit == "crop" else image.resize(size, smooth)
    except Unusable:
        raise
    except Exception:  # noqa: BLE001 — decoders raise anything for bytes made to confuse them
        raise Unusable(_damaged()) from None
    raw: bytes = image.tobytes()
    return raw


def _orientation(image: Any) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 — what a camera notes is no reason to refuse what it shows
        return 1


def _plain(image: Any, mode: str) -> Any:
    """In 8 bits, without transparency: what is behind is white, as on a page. Raises Unusable for inks."""
    if image.mode == "CMYK":
        raise Unusable(said("is made for printing, in CMYK; save it in RGB"))
    if image.mode.startswith("I"):
        image = image.convert("I").point(lambda level: level * (1 / 256) + 0).convert("L")
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        front = image.convert("RGBA")
        Image, _ = _pillow()
        image = Image.alpha_composite(Image.new("RGBA", front.size, "white"), front)
    return image.convert(mode)
