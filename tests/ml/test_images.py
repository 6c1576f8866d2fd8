from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.ml.hostile_images import cases, chunk, png, saved, text
from webapp.ml.layout import pixels
from webapp.ml.schema import ImageSpec, Schema
from webapp.ml.schema.images import MAX_BYTES, Picture, data_uri, describe, grey, read

GREY = ImageSpec(4, 2)
COLOUR = ImageSpec(2, 2, 3, layout="hwc")


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> str:
    made = io.BytesIO()
    image.save(made, format, **options)
    return text(made.getvalue())


def schema(spec: dict[str, Any]) -> Schema:
    feature = {"name": "image", "kind": "image", "label": "Image", "image": spec}
    output = {"kind": "regression", "target": "y", "label": "Y"}
    return Schema.from_dict({"features": [feature], "output": output})


@pytest.mark.parametrize("name", cases())
def test_a_hostile_image_is_refused_in_words(name: str) -> None:
    found = schema({"width": 8, "height": 8}).check({"image": cases()[name]})
    [problem] = found.problems
    assert problem.pointer == "#/inputs/image"
    assert problem.detail.startswith("Image ")
    assert len(problem.detail) < 200


def test_hostile_images_take_little_memory_and_time() -> None:
    script = """
import time
from pathlib import Path
from tests.ml.hostile_images import cases
from webapp.ml.schema.images import ImageSpec, Unusable, grey, read

def most():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

spec, made = ImageSpec(8, 8), cases()
read(grey(spec), spec)
for name, text in made.items():
    Path("/proc/self/clear_refs").write_text("5")  # begin to measure the peak anew
    before, begun = most(), time.process_time()
    try:
        read(text, spec)
    except Unusable:
        print(most() - before, time.process_time() - begun, name)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    lines = [line.split(" ", 2) for line in done.stdout.splitlines()]
    assert len(lines) == len(cases()), done.stdout
    assert max(int(kilobytes) for kilobytes, _, _ in lines) < 50_000, done.stdout
    assert max(float(seconds) for _, seconds, _ in lines) < 1, done.stdout


@pytest.mark.parametrize(
    ("mode", "fill", "shade"),
    [("1", 1, 255), ("L", 77, 77), ("P", 77, 77), ("I;16", 77 * 257, 77), ("LA", (0, 0), 255),
     ("RGBA", (0, 0, 0, 128), 127), ("RGB", (77, 77, 77), 77)],
)  # fmt: skip
def test_every_mode_of_a_png_becomes_grey_on_white(mode: str, fill: Any, shade: int) -> None:
    image = Image.new("L" if mode == "P" else mode, (4, 2), fill).convert(mode)
    assert set(read(encoded(image), GREY).raw) == {shade}


def test_a_transparent_colour_of_a_palette_is_white() -> None:
    image = Image.new("P", (4, 2), 0)
    image.putpalette([0, 0, 0] * 256)
    assert set(read(encoded(image, transparency=0), GREY).raw) == {255}


def test_colours_stay_in_their_order() -> None:
    image = Image.new("RGB", (2, 2), (255, 0, 51))
    assert read(encoded(image), COLOUR).raw == bytes([255, 0, 51]) * 4


def test_an_image_is_turned_as_its_camera_was_held() -> None:
    image = Image.new("L", (2, 4))
    image.putpixel((0, 3), 255)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise: the lower left corner comes to the upper left
    for format in ("PNG", "WEBP"):
        raw = read(
            encoded(image, format, exif=exif, **({"lossless": True} if format == "WEBP" else {})), GREY
        ).raw
        assert raw == bytes([255] + [0] * 7), format


def test_an_image_of_the_right_size_keeps_every_pixel_and_others_are_scaled() -> None:
    image = Image.frombytes("L", (4, 2), bytes(range(8)))
    assert read(encoded(image), GREY).raw == bytes(range(8))
    double = image.resize((8, 4), Image.Resampling.NEAREST)
    assert read(encoded(double), GREY).raw == double.resize((4, 2), Image.Resampling.BILINEAR).tobytes()


def test_cropping_keeps_the_middle_and_stretching_all() -> None:
    image = Image.new("L", (12, 2), 0)
    image.paste(200, (4, 0, 8, 2))
    assert set(read(encoded(image), ImageSpec(4, 2, fit="crop")).raw) == {200}
    assert set(read(encoded(image), ImageSpec(4, 2)).raw) != {200}


def test_numbers_follow_scale_mean_deviation_and_layout() -> None:
    image = encoded(Image.frombytes("RGB", (2, 1), bytes([0, 51, 102, 153, 204, 255])))

    def numbers(**spec: Any) -> Any:
        return pixels([(read(image, ImageSpec(2, 1, 3, **spec)),)], "float64")

    assert numbers(scale=5).tolist() == [pytest.approx([0, 1, 2, 3, 4, 5])]
    assert numbers(scale=5, layout="hwc").round(9).tolist() == [[[[0, 1, 2], [3, 4, 5]]]]
    assert numbers(scale=5, layout="chw").round(9).tolist() == [[[[0, 3]], [[1, 4]], [[2, 5]]]]
    normal = numbers(scale=5, layout="hwc", mean=(0, 1, 2), std=(1, 2, 4))
    assert np.allclose(normal, [[[[0, 0, 0], [3, 1.5, 0.75]]]])


def test_a_picture_is_checked_again_without_being_decoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = schema({"width": 4, "height": 2})
    [picture] = checked.check({"image": grey(GREY)}).values
    assert isinstance(picture, Picture)
    monkeypatch.setattr("webapp.ml.schema.images._decoded", None)
    assert checked.check({"image": picture}).values == (picture,)


def test_what_is_shown_of_an_image_needs_no_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webapp.ml.schema.images._pillow", None)
    for format in ("PNG", "JPEG", "WEBP"):
        data = saved(format, "RGB")
        assert describe(text(data)) == f"image 40×30, {len(data)} B"
        assert data_uri(text(data)) == f"data:image/{format.lower()};base64,{text(data)}"
    assert (
        describe(f"data:image/png;base64,{text(b'x')}") == data_uri('iVBORw0KGgo"><b>') == describe(3) == ""
    )


def test_notes_of_a_camera_are_no_reason_to_refuse_an_image() -> None:
    profile = chunk(b"eXIf", b"II*\0" + b"\xff" * 60_000)
    assert len(read(text(png(8, 8, b"\0" * 72, profile)), GREY).raw) == 8


def test_what_a_file_holds_beyond_its_image_is_not_unpacked() -> None:
    assert len(read(text(png(1, 1, b"\0" * 50_000_000)), GREY).raw) == 8


def test_an_image_as_large_as_may_be_is_taken() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (800, 870), np.uint8)
    data = encoded(Image.fromarray(noise))
    assert 0.98 * MAX_BYTES < len(data) * 3 / 4 <= MAX_BYTES
    assert read(data, GREY).brightness == pytest.approx(0.5, abs=0.05)
