#!/usr/bin/env python3
"""Draws sample.png, the page that the demo and the tests read: lines of several sizes, colours and backgrounds.

usage: make_sample.py      writes sample.png beside this script
"""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

# text, size, position, colour; the third line stands on a dark box.
LINES = [
    ("From model.onnx to a native library", 32, (36, 24), (20, 24, 40)),
    ("Invoice No. 20451   Total: 1,384.90 EUR", 26, (36, 96), (60, 20, 20)),
    ("READY FOR DEPARTURE 07:45", 30, (48, 162), (240, 240, 120)),
    ("The quick brown fox jumps over the lazy dog.", 22, (36, 244), (0, 70, 60)),
    ("Serial 7F3A-91C2 / Batch 0042", 28, (36, 300), (30, 30, 30)),
    ("reading takes three networks:", 20, (36, 364), (90, 90, 90)),
    ("detection, direction, recognition", 24, (36, 404), (10, 10, 120)),
]


def draw() -> Image.Image:
    picture = Image.new("RGB", (640, 480), (246, 244, 236))
    pen = ImageDraw.Draw(picture)
    for row in range(480):  # a soft gradient, so that the background is not one colour
        pen.line([(0, row), (639, row)], fill=(246 - row // 24, 244 - row // 28, 236 - row // 20))
    pen.rectangle([24, 150, 520, 212], fill=(24, 40, 80))
    for text, size, position, colour in LINES:
        pen.text(position, text, font=ImageFont.load_default(size), fill=colour)
    return picture


if __name__ == "__main__":
    draw().save(Path(__file__).parent / "sample.png", optimize=True)
