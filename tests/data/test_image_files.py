"""Picture files of every kind: what is in them arrives, what is not a picture says what
it is.
"""

import os
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image
from PIL import __version__ as PILLOW
from small import link

from vit_tutorial.data import image_files
from vit_tutorial.data.image_files import read_image

# Pillow 12 takes such a TIFF, where it is not compressed, to be cut off
YCBCR = pytest.param(
    "YCbCr", marks=pytest.mark.skipif(PILLOW < "13", reason="Pillow is older than 13")
)
RAMP = np.linspace(0, 1, 64)[None].repeat(64, 0)
STEPS = torch.tensor([0, 36, 73, 109, 146, 182, 219, 255])  # every ninth column of it


def row(path, channels=3):
    """Eight values from the middle row of a ramp from black to white."""
    image = read_image(path, (64, 64), channels)
    assert image.dtype == torch.uint8 and image.shape == (channels, 64, 64)
    assert all(torch.equal(image[0], other) for other in image)
    return image[0, 32, ::9].int()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("8.png", (255 * RAMP).round().astype(np.uint8)),
        ("16.png", (65535 * RAMP).round().astype(np.uint16)),
        ("16.tif", (65535 * RAMP).round().astype(np.uint16)),
        ("16.pgm", (65535 * RAMP).round().astype(np.uint16)),
        ("16-big.tif", (65535 * RAMP).round().astype(">u2")),
        ("32.tif", (65535 * RAMP).round().astype(np.int32)),
        ("float.tif", RAMP.astype(np.float32)),
    ],
)
def test_shades_of_any_depth_arrive(tmp_path, name, values, channels):
    Image.fromarray(values).save(tmp_path / name)
    assert (row(tmp_path / name, channels) - STEPS).abs().max() <= 1


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "CMYK", YCBCR, "RGB", "LA", "RGBA", "PA"]
)
def test_modes_of_8_bits_arrive(tmp_path, mode):
    half = Image.new("RGB", (64, 64), "white")
    half.paste((0, 0, 0), (0, 0, 32, 64))
    (
        half.convert("RGBA").convert(mode).save(tmp_path / "half.tif")
        if mode != "PA"
        else None
    )
    if mode == "PA":
        half.convert("RGBA").quantize(4).save(tmp_path / "half.tif")
    values = row(tmp_path / "half.tif")
    assert values[:3].max() <= 2 and values[5:].min() >= 253


def test_twelve_bits_are_known_where_the_file_says_so(monkeypatch, tmp_path):
    Image.fromarray((4095 * RAMP).round().astype(np.uint16)).save(tmp_path / "12.tif")
    with pytest.raises(ValueError, match="from 0 to 4095: as 16 bits.*all but black"):
        read_image(tmp_path / "12.tif", (64, 64))
    monkeypatch.setattr(image_files, "_declared_bits", lambda image: 12)
    assert (row(tmp_path / "12.tif") - STEPS).abs().max() <= 1


@pytest.mark.parametrize(
    ("size", "channels", "message"),
    [
        ((8, 8), 2, r"channels is 2, expected 1 \(grey\) or 3 \(RGB\)"),
        ((8, 8), 4, "channels is 4, expected"),
        ((0, 8), 3, r"size is \(0, 8\), expected two sides of at least 1 pixel"),
        ((8, 8, 3), 3, r"size is \(8, 8, 3\), expected"),
        (8, 3, "size is 8, expected"),
    ],
)
def test_what_cannot_be_asked_for_is_no_fault_of_the_file(
    tmp_path, size, channels, message
):
    Image.new("L", (8, 8)).save(tmp_path / "grey.png")
    with pytest.raises(ValueError, match=f"^{message}"):
        read_image(tmp_path / "grey.png", size, channels)


def test_a_black_picture_of_16_bits_is_one(tmp_path):
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "black.png")
    assert read_image(tmp_path / "black.png", (8, 8)).max() == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (255 * RAMP.astype(np.float32), "0 to 255, expected floats from 0"),
        (-RAMP.astype(np.float32), "-1 to .*, expected floats"),
        (np.full((4, 4), np.nan, np.float32), "nan to nan, expected floats"),
        ((10**6 * RAMP).astype(np.int32), r"0 to 1e\+06, expected whole numbers"),
        ((-9 * RAMP).astype(np.int32), "-9 to 0, expected whole numbers"),
    ],
)
def test_shades_without_a_known_white_are_refused(tmp_path, values, message):
    Image.fromarray(values).save(tmp_path / "deep.tif")
    with pytest.raises(ValueError, match=f"deep.tif holds values from {message}"):
        read_image(tmp_path / "deep.tif", (8, 8))


@pytest.mark.parametrize(
    "name",
    ["rgba.png", "la.png", "palette.png", "key.png", "grey-key.png", "grey.webp"],
)
def test_what_is_transparent_shows_white(tmp_path, name):
    pixels = np.zeros((64, 64, 4), np.uint8)
    # a black square on nothing; what is hidden there is black
    pixels[16:48, 16:48, 3] = 255
    image = Image.fromarray(pixels)
    more = {}
    if name == "la.png":
        image = image.convert("LA")
    elif name == "palette.png":
        image = image.quantize(4)
    elif "key" in name:  # a colour that is not drawn
        solid = np.where(pixels[..., 3:] > 0, 0, 9).astype(np.uint8)
        image = Image.fromarray(
            solid.repeat(3, 2) if name == "key.png" else solid[..., 0]
        )
        more = {"transparency": (9, 9, 9) if name == "key.png" else 9}
    elif name == "grey.webp":
        more = {"lossless": True}
    image.save(tmp_path / name, **more)
    for channels in (1, 3):
        found = read_image(tmp_path / name, (64, 64), channels)
        assert found[:, 20:44, 20:44].max() <= 9 and found[:, :12].min() == 255


def test_a_transparent_value_of_16_bits_shows_white(tmp_path):
    values = np.full((8, 8), 30000, np.uint16)
    values[:, :4] = 777
    Image.fromarray(values).save(tmp_path / "key.png")
    content = (tmp_path / "key.png").read_bytes()
    chunk = b"tRNS" + struct.pack(">H", 777)
    chunk = struct.pack(">I", 2) + chunk + struct.pack(">I", zlib.crc32(chunk))
    place = content.index(b"IDAT") - 4
    (tmp_path / "key.png").write_bytes(content[:place] + chunk + content[place:])
    found = read_image(tmp_path / "key.png", (8, 8))
    assert (found[..., :3] == 255).all() and (found[..., 5:] == 117).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_ends_upright(tmp_path, orientation):
    upright = Image.new("RGB", (40, 40))
    upright.paste((255, 0, 0), (0, 0, 20, 20))
    upright.paste((0, 255, 0), (20, 0, 40, 20))
    turn = image_files.UPRIGHT.get(orientation)
    left = Image.Transpose.ROTATE_90
    right = Image.Transpose.ROTATE_270
    lying = (
        upright
        if turn is None
        else upright.transpose({left: right, right: left}.get(turn, turn))
    )
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying.save(tmp_path / "lying.png", exif=exif)
    found = read_image(tmp_path / "lying.png", (40, 40))
    assert found[:, 5, 5].tolist() == [255, 0, 0] and found[:, 5, 35].tolist() == [
        0,
        255,
        0,
    ]


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff",  # more entries than there are
        b"Exif\0\0garbage",
        # an orientation of letters
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x04\0\0\0abc\0\0\0\0\0",
        # somewhere behind the end
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x05\0\x01\0\0\0\xff\xff\xff\x7f\0\0\0\0",
    ],
)
def test_odd_exif_costs_no_picture(tmp_path, exif, recwarn):
    Image.new("RGB", (40, 40), (0, 0, 200)).save(tmp_path / "odd.jpg", exif=exif)
    assert read_image(tmp_path / "odd.jpg", (8, 8))[2].min() > 190
    assert not recwarn.list


def test_the_middle_is_kept_and_nothing_is_squashed(tmp_path):
    wide = Image.new("RGB", (160, 40))
    wide.paste((0, 200, 0), (40, 0, 120, 40))  # the middle is green
    wide.save(tmp_path / "wide.png")
    assert read_image(tmp_path / "wide.png", (20, 40))[1].min() > 170
    assert read_image(tmp_path / "wide.png", (20, 80))[1, 10].tolist()[:19] == [0] * 19


def refused(path, error=ValueError):
    with pytest.raises(error) as caught:
        read_image(path, (8, 8))
    assert "\n" not in str(caught.value) and path.name in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "kind",
    [
        "JPEG",
        "PNG",
        "GIF",
        "TIFF",
        "WEBP",
        "AVIF",
        "JPEG2000",
        "DDS",
        "BMP",
        "ICO",
        "PPM",
    ],
)
def test_damaged_files_are_one_line(tmp_path, kind):
    """Cut at many places, and with bytes changed: a picture, or one line that names the
    file.
    """
    path = tmp_path / "damaged"
    generator = np.random.default_rng(0)
    noise = Image.fromarray(generator.integers(256, size=(32, 32, 3), dtype=np.uint8))
    try:
        noise.save(path, format=kind)
    except (KeyError, OSError):
        pytest.skip(f"this Pillow writes no {kind}")
    whole = path.read_bytes()
    damaged = [whole[: len(whole) * part // 12] for part in range(1, 12)]
    for _ in range(40):
        content = np.frombuffer(whole, np.uint8).copy()
        content[generator.integers(min(len(whole), 200), size=4)] = generator.integers(
            256, size=4
        )
        damaged.append(content.tobytes())
    lines = 0
    for content in damaged:
        path.write_bytes(content)
        try:
            assert read_image(path, (8, 8)).shape == (3, 8, 8)
        except ValueError as error:
            assert str(path) in str(error) and "\n" not in str(error)
            lines += 1
    assert lines > 5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"a list of names", "Pillow knows no such format"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "looks like a HEIC picture"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "looks like a HEIC picture"),
        (b"\xff\x0a\xfa\x7f", "looks like a JPEG XL picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "looks like an SVG drawing"),
        (b"%PDF-1.7", "looks like a PDF document"),
        (b"\0\0\0\x20ftypisom", "looks like a video"),
        (b"PK\x03\x04", "looks like a zip archive"),
    ],
)
def test_what_is_no_picture_says_what_it_is(tmp_path, content, message):
    (tmp_path / "odd.jpg").write_bytes(content)
    assert (
        f"cannot be read as an image: {'it ' * ('looks' in message)}{message}"
        in refused(tmp_path / "odd.jpg")
    )


def test_what_is_in_the_way_of_reading_is_said(tmp_path, monkeypatch):
    Image.new("RGB", (40, 40)).save(tmp_path / "large.png")
    with monkeypatch.context() as patch:
        patch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
        assert "too many pixels: expected at most 1,000" in refused(
            tmp_path / "large.png"
        )
    assert "is a folder, expected the file of an image" in refused(tmp_path)
    refused(tmp_path / "nothing.png", FileNotFoundError)
    link(tmp_path / "link.png", "nothing.png")
    assert "is a link to nothing" in refused(tmp_path / "link.png")
    if hasattr(os, "mkfifo"):  # not on Windows
        os.mkfifo(tmp_path / "pipe.png")
        assert "is a pipe or a device" in refused(tmp_path / "pipe.png")

    def fail(error):
        def opened(*arguments, **options):
            raise error

        monkeypatch.setattr(Image, "open", opened)

    fail(PermissionError(13, "Permission denied"))
    assert "large.png cannot be opened: Permission denied" in refused(
        tmp_path / "large.png"
    )
    fail(MemoryError())
    assert "too little memory" in refused(tmp_path / "large.png")
    fail(ZeroDivisionError())
    assert "cannot be read as an image: ZeroDivisionError" in refused(
        tmp_path / "large.png"
    )
