"""ImageDecoder against Pillow, which the operator's own tests take for the reference; and files that are no images."""

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxc
import pytest
from PIL import Image
from small_models import parse

MODEL = """
g (uint8[N] x) => (uint8[H, W, 3] rgb, uint8[H, W, 3] bgr, uint8[H, W, 1] gray) {
  rgb = ImageDecoder(x)
  bgr = ImageDecoder <pixel_format = "BGR"> (x)
  gray = ImageDecoder <pixel_format = "Grayscale"> (x)
}
"""


@pytest.fixture(scope="module")
def decode(compiled):
    """decode(bytes): the three pictures, checked against each other."""
    session = onnxc.InferenceSession(compiled(parse(MODEL, opset=20)))

    def run(data: bytes) -> np.ndarray:
        rgb, bgr, gray = session.run(None, {"x": np.frombuffer(data, np.uint8)})
        assert rgb.dtype == np.uint8 and rgb.shape == bgr.shape == (*gray.shape[:2], 3)
        np.testing.assert_array_equal(rgb, bgr[:, :, ::-1])
        if rgb.size:
            want = np.asarray(Image.fromarray(rgb).convert("L"))
            np.testing.assert_array_equal(gray[:, :, 0], want)
        return rgb

    return run


def picture(mode: str, width: int, height: int) -> Image.Image:
    """Slopes and an edge, so that every pixel is of another colour."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [x * 255 // max(1, width - 1), y * 255 // max(1, height - 1), (x * y * 7) % 256]
    image = Image.fromarray(np.stack(channels, axis=2).astype(np.uint8))
    if mode.endswith("A"):
        image.putalpha(Image.fromarray(((x + y) * 9 % 256).astype(np.uint8)))
    return image.quantize(37) if mode == "P" else image.convert(mode)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


FILES = [
    ("JPEG", "RGB", {}), ("JPEG", "RGB", {"progressive": True, "quality": 30}), ("JPEG", "L", {}), ("JPEG", "CMYK", {}),
    ("JPEG", "RGB", {"subsampling": 0}), ("JPEG", "RGB", {"subsampling": 1}),
    ("PNG", "RGB", {}), ("PNG", "RGBA", {}), ("PNG", "L", {}), ("PNG", "LA", {}), ("PNG", "P", {}), ("PNG", "1", {}),
    ("PNG", "P", {"transparency": 3}),
    ("WEBP", "RGB", {}), ("WEBP", "RGB", {"lossless": True}), ("WEBP", "RGBA", {"lossless": True, "exact": True}),
    ("BMP", "RGB", {}), ("BMP", "L", {}), ("BMP", "P", {}), ("BMP", "1", {}), ("BMP", "RGBA", {}),
    ("TIFF", "RGB", {}), ("TIFF", "RGB", {"compression": "tiff_lzw"}), ("TIFF", "L", {}), ("TIFF", "P", {}),
    ("TIFF", "1", {"compression": "group4"}), ("TIFF", "RGBA", {"compression": "tiff_deflate"}),
    ("JPEG2000", "RGB", {}), ("JPEG2000", "L", {}), ("JPEG2000", "RGBA", {}), ("JPEG2000", "RGB", {"no_jp2": True}),
    ("PPM", "RGB", {}), ("PPM", "L", {}), ("PPM", "1", {}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "mode", "options"), FILES)
def test_formats(decode, kind: str, mode: str, options: dict) -> None:
    for width, height in ((33, 21), (1, 1), (8, 50)):
        data = encoded(picture(mode, width, height), kind, **options)
        image = Image.open(io.BytesIO(data))
        # What is transparent keeps its colour.
        want = (
            np.asarray(image.convert("RGBA"))[:, :, :3] if "A" in image.getbands() else np.asarray(image.convert("RGB"))
        )
        np.testing.assert_array_equal(decode(data), want)


def test_the_first_of_several_pictures(decode) -> None:
    frames = [picture("RGB", 20, 14), picture("L", 20, 14).convert("RGB")]
    for kind, options in (("WEBP", {"lossless": True}), ("TIFF", {})):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        np.testing.assert_array_equal(decode(data), np.asarray(frames[0]), err_msg=kind)


def test_portable_formats_that_pillow_does_not_write(decode) -> None:
    plain = b"P3 # colours\n2 1\n# greatest\n15\n0 5 15  15 10 0"
    np.testing.assert_array_equal(decode(plain), [[[0, 85, 255], [255, 170, 0]]])
    np.testing.assert_array_equal(decode(b"P1\n3 2\n101\n0 1 0\n")[:, :, 0], [[0, 255, 0], [255, 0, 255]])
    np.testing.assert_array_equal(decode(b"P2 2 1 9 9 0")[:, :, 1], [[255, 0]])
    wide = b"P6 1 1 65535\n" + bytes([255, 255, 128, 0, 0, 0])
    np.testing.assert_array_equal(decode(wide), [[[255, 128, 0]]])
    header = b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 2\nMAXVAL 255\nTUPLTYPE GRAYSCALE_ALPHA\nENDHDR\n"
    np.testing.assert_array_equal(decode(header + bytes([7, 0, 9, 255])), [[[7] * 3, [9] * 3]])


def bitmap(width: int, height: int, bits: int, compression: int, data: bytes, palette: bytes = b"") -> bytes:
    numbers = (14 + 40 + len(palette), 40, width, height)
    header = b"BM" + bytes(8) + b"".join(n.to_bytes(4, "little", signed=True) for n in numbers)
    header += (1).to_bytes(2, "little") + bits.to_bytes(2, "little") + compression.to_bytes(4, "little") + bytes(20)
    return header + palette + data


def test_bitmaps_that_pillow_does_not_write(decode) -> None:
    """Compared with Pillow, which reads them."""
    palette = np.arange(16 * 4, dtype=np.uint8).tobytes()
    runs = bytes([3, 1, 0, 3, 4, 5, 6, 0, 0, 0, 2, 2, 0, 4, 1, 2, 3, 4, 0, 1])
    files = {
        "5-5-5": bitmap(3, 2, 16, 0, np.array([0x7C00, 0x1234, 0x7FFF, 0, 1, 2, 3, 0], "<u2").tobytes()),
        "5-6-5": bitmap(2, 2, 16, 3, np.array([0xF800, 0x1234, 0xFFFF, 7], "<u2").tobytes(),
                        np.array([0xF800, 0x07E0, 0x001F], "<u4").tobytes()),
        "top down": bitmap(2, -2, 24, 0, bytes(range(16))),
        "runs": bitmap(6, 2, 8, 1, runs, palette + bytes(4 * 240)),
    }  # fmt: skip
    for name, data in files.items():
        want = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        np.testing.assert_array_equal(decode(data), want, err_msg=name)
    nibbles = bitmap(5, 1, 4, 2, bytes([3, 0x12, 2, 0x30, 0, 1]), palette)
    np.testing.assert_array_equal(decode(nibbles)[0, :, 2], [4, 8, 4, 12, 0])


def test_what_cannot_be_decoded_is_empty(decode) -> None:
    """As the operator's text has it, for any reason; none may crash."""
    assert decode(b"").shape == (0, 0, 3)
    for data in (
        b"P",
        b"BM",
        b"\xff\xd8\xff",
        b"II*\0",
        b"GIF89a",
        b"no image at all",
        b"\x89PNG\r\n\x1a\n",
        bytes(100),
    ):
        assert decode(data).size == 0
    sizes = b"P6 99999 99999 255\n", b"P5 0 5 255\n\0", b"P2 1 1 0 0", b"P5 1 1 70000 \0\0", b"P1 1 1 2"
    for data in (
        *sizes,
        bitmap(1 << 30, 1 << 30, 24, 0, bytes(64)),
        bitmap(1 << 14, 1 << 14, 8, 1, bytes([0, 1]), b""),
    ):
        assert decode(data).size == 0
    huge = bytearray(encoded(picture("RGB", 4, 4), "PNG"))
    huge[16:24] = b"\x7f\xff\xff\xff" * 2
    assert decode(bytes(huge)).size == 0


def test_damaged_files(decode) -> None:
    """Cut anywhere or with bytes exchanged: a picture or nothing, never a crash; of half the data nothing."""
    seed = int(os.environ.get("ONNXC_SEED", 1))
    print("seed", seed)
    generator = np.random.default_rng(seed)
    for kind, mode, options in FILES:
        data = encoded(picture(mode, 33, 21), kind, **options)
        if kind != "JPEG2000":  # of which the beginning is a picture of less detail
            assert decode(data[: len(data) // 2]).size == 0, (kind, mode)
        for length in generator.integers(0, len(data), 4):
            decode(data[:length])
        for _ in range(8):
            changed = bytearray(data)
            for place in generator.integers(0, len(data), 3):
                changed[place] = generator.integers(0, 256)
            decode(bytes(changed))


def test_mistakes(compiled) -> None:
    with pytest.raises(onnxc.CompileError, match=r"ImageDecoder.*pixel_format is none of RGB, BGR and Grayscale"):
        compiled(
            parse('g (uint8[N] x) => (uint8[H, W, 3] y) { y = ImageDecoder <pixel_format = "HSV"> (x) }', opset=20)
        )


def test_without_the_library(compiled, tmp_path: Path) -> None:
    """The package works without it until a model needs it."""
    copy = tmp_path / "onnxc"
    shutil.copytree(Path(onnxc.__file__).parent, copy, ignore=shutil.ignore_patterns("libonnxc_images*", "__pycache__"))
    script = "import numpy, onnxc, sys; onnxc.InferenceSession(sys.argv[1]).run(None, {'x': numpy.zeros(3, 'u1')})"
    process = subprocess.run(
        [sys.executable, "-c", script, compiled(parse(MODEL, opset=20))],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 1
    assert "decoding images needs libonnxc_images.so" in process.stderr
