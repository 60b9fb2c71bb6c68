"""Files: each format gives the same grey values, and each bad file one sentence."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pipeline.errors import DataError
from pipeline.prediction.picture import Limits, decode

# Black, a dark and a light grey, white: 20 × 16 pixels each, so that no compression moves the middle.
STRIPES = np.repeat(np.array([0, 85, 170, 255], np.uint8), 20)[None].repeat(16, 0)


def encoded(image, file_format="PNG", **options):
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("file_format", "mode", "options"),
    [
        ("PNG", "L", {}),
        ("PNG", "RGB", {}),
        ("PNG", "RGBA", {}),
        ("PNG", "P", {}),
        ("BMP", "RGB", {}),
        ("BMP", "L", {}),
        ("GIF", "L", {}),
        ("TIFF", "L", {}),
        ("TIFF", "RGB", {"compression": "tiff_lzw"}),
        ("TIFF", "CMYK", {}),
        ("WEBP", "RGB", {"lossless": True}),
        ("JPEG", "L", {"quality": 95}),
        ("JPEG", "RGB", {"quality": 95}),
        ("JPEG", "CMYK", {"quality": 95}),
    ],
)
def test_each_format_and_mode_gives_the_same_greys(file_format, mode, options):
    picture = decode(encoded(Image.fromarray(STRIPES).convert(mode), file_format, **options))
    assert picture.dtype == np.float32
    assert np.allclose(picture[8, [10, 30, 50, 70]], [0, 1 / 3, 2 / 3, 1], atol=0.02)


def test_one_bit_a_pixel():
    picture = decode(encoded(Image.fromarray(STRIPES).point(lambda v: 255 * (v > 100)).convert("1")))
    assert picture[8, [10, 30, 50, 70]].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    "values",
    [STRIPES.astype(np.uint16) * 257, STRIPES.astype(np.float32) / 255, STRIPES.astype(np.float32)],
    ids=["16 bit", "fractions", "floats to 255"],
)
def test_many_bits_a_pixel(values):
    picture = decode(encoded(Image.fromarray(values), "TIFF"))
    assert np.allclose(picture[8, [10, 30, 50, 70]], [0, 1 / 3, 2 / 3, 1], atol=1e-4)


def test_16_bit_png():
    picture = decode(encoded(Image.fromarray(STRIPES.astype(np.uint16) * 257)))
    assert np.allclose(picture[8, [10, 30, 50, 70]], [0, 1 / 3, 2 / 3, 1], atol=1e-4)


@pytest.mark.parametrize(("stroke", "paper"), [(0, 1.0), (255, 0.0)])
def test_transparent_paper_becomes_what_the_stroke_stands_out_from(stroke, paper):
    image = np.zeros((20, 20, 4), np.uint8)
    image[..., :3] = 130  # what a program left behind under full transparency must not show
    image[5:15, 8:12] = (stroke, stroke, stroke, 255)
    picture = decode(encoded(Image.fromarray(image)))
    assert picture[0, 0] == paper
    assert picture[10, 10] == stroke / 255


@pytest.mark.parametrize("margin", [1, 3])
@pytest.mark.parametrize(("paper", "ink"), [(250, 20), (10, 240)])
def test_a_transparent_margin_around_ink_and_paper_is_paper(margin, paper, ink):
    image = Image.new("LA", (60, 60), (paper, 255))
    ImageDraw.Draw(image).line([(20, 12), (40, 12), (28, 48)], fill=(ink, 255), width=5)
    whole, cut = image.convert("L"), image.copy()
    opacity = Image.new("L", (60, 60))
    opacity.paste(255, (margin, margin, 60 - margin, 60 - margin))
    cut.putalpha(opacity)
    found = decode(encoded(cut))
    np.testing.assert_array_equal(found, decode(encoded(whole)))


def test_transparent_colour_of_a_palette():
    image = Image.new("P", (20, 20), 1)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.paste(0, (8, 5, 12, 15))
    for file_format in ("PNG", "GIF"):
        picture = decode(encoded(image, file_format, transparency=1))
        assert picture[0, 0] == 1
        assert picture[10, 10] == 0


def test_exif_rotation_is_applied():
    image = Image.new("L", (40, 20), 255)
    image.paste(0, (0, 0, 10, 20))  # a black bar on the left
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise: the left side comes to the top
    picture = decode(encoded(image, "JPEG", exif=exif, quality=95))
    assert picture.shape == (40, 20)
    assert picture[2].max() < 0.1
    assert picture[-2].min() > 0.9


def test_the_first_of_several_frames():
    first, second = Image.new("L", (8, 8), 0), Image.new("L", (8, 8), 255)
    picture = decode(encoded(first, "GIF", save_all=True, append_images=[second]))
    assert picture.max() == 0


def test_large_pictures_are_shrunk_evenly():
    picture = decode(encoded(Image.fromarray(STRIPES).resize((1600, 320), Image.Resampling.NEAREST)))
    assert picture.shape == (46, 229)  # by 7, the smallest whole number that leaves 256 or fewer
    assert np.allclose(picture[20, [28, 85, 142, 200]], [0, 1 / 3, 2 / 3, 1], atol=0.01)


def test_a_path_is_read_and_its_folder_left_as_it_was(tmp_path):
    path = tmp_path / "seven.png"
    path.write_bytes(encoded(Image.fromarray(STRIPES)))
    assert np.array_equal(decode(str(path)), decode(path.read_bytes()))
    assert [p.name for p in tmp_path.iterdir()] == ["seven.png"]


def png_that_states(width, height):
    """A PNG whose header promises far more than its few bytes hold."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


WHOLE = encoded(Image.fromarray(STRIPES).resize((300, 200)))
JPEG = encoded(Image.fromarray(STRIPES).resize((300, 200)), "JPEG")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"label,pixel0\n1,0\n", "not a picture that can be read: allowed are PNG, JPEG"),
        (b"%PDF-1.7\n%%EOF", "not a picture"),
        (WHOLE[: len(WHOLE) // 2], "is damaged"),
        (WHOLE[:20], "is damaged|not a picture"),
        (JPEG[: len(JPEG) // 2], "is damaged"),
        (png_that_states(7000, 7000), "is damaged"),
        (
            png_that_states(8000, 8000),
            "too many pixels: at most 60,000,000 are allowed, 8000 × 8000 were found",
        ),
        (png_that_states(12_000, 9000), "too large"),
        (png_that_states(100_000, 100_000), "too large"),
    ],
    ids=["empty", "text", "pdf", "half", "head", "half a JPEG", "hollow", "many", "bomb warned", "bomb"],
)
def test_bad_files(content, words):
    with pytest.raises(DataError, match=words) as caught:
        decode(content, name="seven.png")
    assert str(caught.value).startswith("seven.png ")
    assert "\n" not in str(caught.value)


def test_pixels_are_checked_before_they_are_decoded(monkeypatch):
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(DataError, match="at most 100 are allowed, 300 × 200 were found"):
        decode(WHOLE, limits=Limits(max_pixels=100))


def test_too_many_bytes(tmp_path):
    limits = Limits(max_bytes=len(WHOLE) - 1)
    path = tmp_path / "large.png"
    path.write_bytes(WHOLE)
    for source in (WHOLE, path):
        with pytest.raises(DataError, match=f"at most {len(WHOLE) - 1:,} bytes are allowed"):
            decode(source, limits=limits)
    assert decode(WHOLE, limits=Limits(max_bytes=len(WHOLE))).shape[1] == 150


def test_a_float_that_is_not_finite():
    values = np.zeros((8, 8), np.float32)
    values[3, 3] = np.nan
    with pytest.raises(DataError, match="not finite"):
        decode(encoded(Image.fromarray(values), "TIFF"))


@pytest.mark.parametrize("name", ["missing.png", "."])
def test_a_path_that_cannot_be_read(tmp_path, name):
    with pytest.raises(DataError, match="could not be read"):
        decode(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_any_damage_is_a_sentence():
    rng = np.random.default_rng(0)
    sources = [WHOLE, JPEG] + [encoded(Image.fromarray(STRIPES), f) for f in ("GIF", "BMP", "TIFF", "WEBP")]
    refused = 0
    for source in sources:
        for _ in range(40):
            content = bytearray(source)
            for place in rng.integers(0, len(content), 6):
                content[place] = rng.integers(256)
            try:
                decode(bytes(content))
            except DataError:
                refused += 1
    assert refused > 40


def test_what_a_library_thinks_of_a_damaged_tiff_is_not_on_the_terminal(capfd):
    file = io.BytesIO()
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(file, "TIFF", compression="tiff_lzw")
    content = bytearray(file.getvalue())
    place = content.index(b"\x80")  # where LZW's codes begin
    content[place + 1 : place + 4] = b"\xff\xff\xff"
    with pytest.raises(DataError, match="is damaged"):
        decode(bytes(content))
    assert capfd.readouterr().err == ""
