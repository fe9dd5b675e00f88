#!/usr/bin/env python3
"""Draws the pictures of the sample products: draw.py [directory]. Needs Pillow.

Each picture is drawn with plain shapes on a canvas of 100 units, three times as large as it is saved, in a palette of 32
colours without metadata.
"""

import math
import pathlib
import sys

from PIL import Image, ImageDraw

SIZE, SCALE = 480, 3
UNIT = SIZE * SCALE / 100
INK, PAPER, WHITE, STEEL, WOOD, DARK = "#2f3437", "#f7f3ea", "#ffffff", "#b9c1c6", "#b98a5a", "#1f2426"
GROUNDS = {"KIT": "#f3dcc6", "ELE": "#d5e3ee", "BOO": "#e6e0f0", "CLO": "#dcebdd", "HOM": "#f5e6bf", "SPO": "#f4d6d6"}


class Canvas:
    """Drawing in units from 0 to 100, with the origin in the upper left corner."""

    def __init__(self, ground):
        self.image = Image.new("RGB", (SIZE * SCALE, SIZE * SCALE), ground)
        self.draw = ImageDraw.Draw(self.image)

    @staticmethod
    def _at(numbers):
        return [number * UNIT for number in numbers]

    def box(self, x, y, width, height, fill, radius=0.0, line=None, stroke=1.0):
        box = self._at((x, y, x + width, y + height))
        self.draw.rounded_rectangle(box, radius * UNIT, fill, line, int(stroke * UNIT) if line else 0)

    def oval(self, x, y, rx, ry, fill=None, line=None, stroke=1.0):
        box = self._at((x - rx, y - ry, x + rx, y + ry))
        self.draw.ellipse(box, fill, line, int(stroke * UNIT) if line else 0)

    def disc(self, x, y, radius, fill=None, line=None, stroke=1.0):
        self.oval(x, y, radius, radius, fill, line, stroke)

    def shape(self, fill, *points):
        self.draw.polygon([tuple(self._at(point)) for point in points], fill)

    def line(self, fill, stroke, *points):
        path = [tuple(self._at(point)) for point in points]
        self.draw.line(path, fill, int(stroke * UNIT), "curve")
        for x, y in points:
            self.disc(x, y, stroke / 2, fill)

    def arc(self, x, y, radius, begin, end, fill, stroke, flat=1.0):
        box = self._at((x - radius, y - radius * flat, x + radius, y + radius * flat))
        self.draw.arc(box, begin, end, fill, int(stroke * UNIT))


def mugs(c):
    for x, y, colour in ((24, 52, "#7f9c96"), (52, 52, "#d98e73"), (24, 26, "#e8c07d"), (52, 26, "#6d7f9e")):
        c.arc(x + 22, y + 11, 7, 0, 360, colour, 3)
        c.box(x, y, 22, 24, colour, 3)
        c.oval(x + 11, y + 2, 11, 2.4, INK)
    c.box(16, 76, 68, 3, WOOD, 1.5)


def knife(c):
    c.shape(STEEL, (14, 62), (64, 40), (68, 50), (40, 64), (14, 62))
    c.shape("#e3e8ea", (14, 62), (64, 40), (65.5, 43.5))
    c.shape("#6b4528", (64, 39), (90, 27), (93, 34), (68, 50))
    for x, y in ((72, 40), (79, 36.5), (86, 33.5)):
        c.disc(x, y, 1.2, STEEL)


def skillet(c):
    c.line(INK, 7, (60, 60), (86, 86))
    c.disc(85, 85, 1.6, GROUNDS["KIT"])
    c.disc(44, 44, 32, INK)
    c.disc(44, 44, 27, "#474e52")
    c.arc(44, 44, 21, 200, 260, "#6a7276", 2)


def kettle(c):
    c.line(STEEL, 4, (32, 66), (20, 58), (22, 44), (12, 36))
    c.arc(70, 50, 18, 270, 90, INK, 4, 1.1)
    c.shape(STEEL, (38, 34), (64, 34), (76, 76), (28, 76))
    c.oval(51, 34, 13, 3, "#8f999f")
    c.disc(51, 29, 3, INK)
    c.box(26, 76, 52, 5, INK, 2)


def grinder(c):
    c.shape("#d9cfc2", (30, 18), (70, 18), (62, 40), (38, 40))
    for x, y in ((38, 24), (46, 22), (54, 25), (62, 23), (42, 31), (50, 31), (58, 31), (46, 37), (54, 37)):
        c.oval(x, y, 3.2, 2.3, "#5b3a24")
    c.box(34, 40, 32, 42, "#3d4a50", 3)
    c.disc(50, 52, 6, STEEL)
    c.box(40, 64, 20, 14, "#cfd6d9", 1.5)
    c.line(STEEL, 2.5, (66, 44), (82, 34))
    c.disc(83, 33, 3.5, WOOD)


def board(c):
    c.box(18, 24, 64, 50, "#d9ad78", 5)
    c.box(23, 29, 54, 40, "#d9ad78", 3, "#b98a5a", 1.6)
    for y in (36, 44, 52, 60):
        c.line("#cb9c66", 0.8, (28, y), (48, y + 1.5), (72, y))
    c.disc(77, 49, 2.4, GROUNDS["KIT"])


def headphones(c):
    c.arc(50, 52, 30, 180, 360, INK, 6)
    for x in (14, 72):
        c.box(x, 48, 14, 28, "#4f6d8f", 6)
    for x in (24, 70):
        c.box(x, 50, 6, 24, INK, 3)


def speaker(c):
    c.box(26, 18, 48, 64, "#2f6f7e", 14)
    c.disc(50, 55, 18, INK)
    c.disc(50, 55, 13, "#48565c")
    c.disc(50, 55, 5, INK)
    c.disc(50, 28, 5, INK)
    c.arc(82, 50, 12, 300, 60, "#2f6f7e", 2)
    c.arc(18, 50, 12, 120, 240, "#2f6f7e", 2)


def charger(c):
    for x in (38, 57):
        c.box(x, 12, 5, 16, STEEL, 1)
    c.box(26, 26, 48, 54, WHITE, 8)
    for y in (40, 52):
        c.box(40, y, 20, 6, INK, 3)
    c.box(39, 64, 22, 8, INK, 1)
    c.box(41, 66, 18, 2.4, "#5c87b5")


def keyboard(c):
    c.box(10, 32, 80, 38, "#3a4247", 4)
    for row in range(4):
        for column in range(11):
            accent = (row, column) in ((0, 0), (2, 10))
            c.box(13.5 + column * 6.8, 35.5 + row * 6.6, 5.6, 5.4, "#e58a4e" if accent else "#e9ecec", 1)
    c.box(34, 62, 32, 5.4, "#e9ecec", 1)


def power_bank(c):
    c.box(32, 16, 36, 66, "#9aa8b2", 7)
    c.box(35, 19, 30, 60, "#b9c5cd", 5)
    c.box(44, 79, 12, 3, INK, 1)
    for index in range(4):
        c.disc(43 + index * 4.6, 26, 1.3, "#5fc28b" if index < 3 else WHITE)
    c.shape("#f2c14e", (53, 40), (43, 54), (49, 54), (46, 66), (57, 50), (51, 50))


def reader(c):
    c.box(26, 14, 48, 72, INK, 5)
    c.box(31, 20, 38, 54, "#f4efe2", 1)
    c.box(35, 25, 20, 3, INK)
    for row in range(9):
        c.box(35, 33 + row * 4.2, 30 if row % 4 != 3 else 18, 1.6, "#8a8577")
    c.disc(50, 80, 2, "#5b6468")


def book(c, cover, spine):
    c.box(27, 13, 50, 74, PAPER, 2)
    c.box(24, 12, 50, 74, cover, 2)
    c.box(24, 12, 6, 74, spine, 2)


def lighthouse(c):
    book(c, "#24406b", "#1b3050")
    c.disc(62, 26, 5, "#f4e7b0")
    c.shape("#f1dc8a", (52, 36), (72, 30), (72, 44))
    c.shape(WHITE, (46, 72), (49, 40), (55, 40), (58, 72))
    c.shape("#c9483e", (47.2, 62), (48, 52), (56, 52), (56.8, 62))
    c.box(47.5, 34, 9, 6, "#f4e7b0", 1)
    c.shape("#c9483e", (47, 34), (52, 29), (57, 34))
    c.box(30, 72, 44, 14, "#3d6d93", 1)


def bread(c):
    book(c, "#d8a25e", "#b98040")
    c.oval(52, 50, 17, 11, "#8b5a2b")
    c.oval(52, 48, 16, 10, "#a96f38")
    for x in (43, 51, 59):
        c.line("#e9cfa2", 1.4, (x, 52), (x + 4, 43))
    c.box(38, 22, 28, 3, PAPER)
    c.box(43, 28, 18, 2, PAPER)


def clocks(c):
    book(c, "#7b3b4a", "#5e2b37")
    c.disc(52, 48, 16, "#f4e7c8")
    for hour in range(12):
        turn = math.radians(hour * 30)
        c.disc(52 + 13 * math.sin(turn), 48 - 13 * math.cos(turn), 1, INK)
    c.line(INK, 1.6, (52, 48), (52, 38))
    c.line(INK, 1.6, (52, 48), (59, 52))
    c.box(40, 74, 24, 2.4, "#f4e7c8")


def sky(c):
    book(c, "#1d2748", "#141b34")
    stars = ((38, 30), (46, 36), (53, 40), (60, 46), (68, 44), (66, 56), (58, 57))
    c.line("#6f7fb5", 0.6, *stars, stars[3])
    for x, y in stars:
        c.disc(x, y, 1.5, "#f6edc5")
    for x, y in ((36, 60), (42, 70), (54, 74), (66, 70), (62, 24), (48, 22), (36, 46)):
        c.disc(x, y, 0.7, WHITE)


def notebook(c):
    c.box(25, 14, 50, 72, "#cfc9bd", 3)
    c.box(27, 14, 48, 70, PAPER, 2)
    for row in range(11):
        for column in range(7):
            c.disc(33 + column * 6, 20 + row * 6, 0.6, "#9c968a")
    c.box(64, 14, 3, 76, "#c9483e")


def torso(c, colour, collar, sleeve):
    c.shape(colour, (36, 24), (64, 24), (80, 34), (88, sleeve), (77, sleeve + 3), (70, 46), (70, 80), (30, 80), (30, 46),
            (23, sleeve + 3), (12, sleeve), (20, 34))
    c.oval(50, 24, 10, 5, collar)


def sweater(c):
    torso(c, "#4f7f63", "#3b634c", 70)
    c.oval(50, 22.5, 8, 3.6, GROUNDS["CLO"])
    c.box(30, 76, 40, 6, "#3b634c", 1)
    for y in range(34, 74, 6):
        c.line("#5e9073", 0.8, (34, y), (42, y + 2), (50, y), (58, y + 2), (66, y))


def shirt(c):
    torso(c, WHITE, "#e3e6e4", 46)
    c.oval(50, 22.5, 8, 4, GROUNDS["CLO"])
    c.line("#dfe3e0", 0.8, (34, 50), (34, 76))


def jacket(c):
    c.oval(50, 22, 15, 12, "#d9a51f")
    torso(c, "#f0bd35", "#d9a51f", 70)
    c.oval(50, 23, 8, 7, "#8a6a14")
    c.line(INK, 1, (50, 30), (50, 79))
    for x in (35, 56):
        c.line("#d9a51f", 1.4, (x, 60), (x + 9, 56))


def socks(c):
    for shift in (0, 26):
        c.shape("#8d969b", (24 + shift, 20), (40 + shift, 20), (40 + shift, 56), (52 + shift, 68), (46 + shift, 78),
                (36 + shift, 76), (24 + shift, 60))
        c.disc(45.5 + shift, 72, 7, "#5d666b")
        for y in (20, 28):
            c.box(24 + shift, y, 16, 3.6, "#c9483e")


def belt(c):
    c.arc(50, 52, 30, 25, 335, "#6f7a4d", 10, 0.8)
    c.box(66, 40, 24, 24, None, 3, "#d7a93c", 3)
    c.line("#d7a93c", 2.4, (67, 52), (82, 52))
    for x, y in ((24, 62), (32, 70), (42, 74.5)):
        c.disc(x, y, 1, INK)


def sheets(c):
    for y, colour in ((60, "#d5cdbd"), (46, "#e4ddcf"), (32, "#f1ece1")):
        c.box(18, y, 64, 15, colour, 6)
        c.line("#bdb4a2", 0.8, (24, y + 7.5), (78, y + 7.5))
    c.box(46, 30, 6, 47, "#9db2a4", 1)


def lamp(c):
    c.shape("#fff3c4", (24, 44), (46, 34), (52, 82), (8, 82))
    c.box(58, 78, 28, 5, INK, 2)
    c.line(INK, 2.6, (72, 78), (80, 52), (52, 28))
    c.disc(80, 52, 3, "#d98e4e")
    c.shape("#3f7f86", (46, 20), (56, 30), (47, 38), (24, 46), (34, 26))


def candle(c):
    c.disc(50, 36, 17, "#fbf0cf")
    c.shape("#f09a3a", (50, 18), (57, 34), (50, 41), (43, 34))
    c.shape("#f7d774", (50, 26), (53.5, 35), (50, 39), (46.5, 35))
    c.line(INK, 1.2, (50, 38), (50, 46))
    c.box(30, 42, 40, 42, "#dfe9e6", 4)
    c.box(33, 46, 34, 35, "#efe2c6", 3)
    c.box(38, 56, 24, 16, "#8a5a3b", 1)


def wall_clock(c):
    c.disc(50, 50, 35, "#d8b78a")
    c.disc(50, 50, 29, WHITE)
    for hour in range(12):
        turn = math.radians(hour * 30)
        inner = 22 if hour % 3 == 0 else 24.5
        ends = [(50 + r * math.sin(turn), 50 - r * math.cos(turn)) for r in (inner, 26.5)]
        c.line(INK, 1.4, *ends)
    c.line(INK, 2, (50, 50), (40, 40))
    c.line(INK, 1.4, (50, 50), (63, 36))
    c.disc(50, 50, 2, "#c9483e")


def yoga(c):
    c.box(16, 44, 62, 22, "#7a6aa8", 2)
    c.disc(78, 55, 11, "#5d4f87")
    for radius in (8, 5, 2):
        c.disc(78, 55, radius, None, "#8f80bd", 1)
    for x in (28, 58):
        c.box(x, 43, 4, 24, INK, 1)
    c.arc(45, 43, 15, 180, 360, INK, 2.2)


def bottle(c):
    c.box(42, 12, 16, 10, INK, 2)
    c.box(44, 22, 12, 6, STEEL)
    c.box(35, 27, 30, 60, "#3f8f8a", 7)
    c.box(39, 33, 4, 46, "#6db3ad", 2)
    c.box(35, 66, 30, 4, "#2f6f6b")


def bands(c):
    for index, colour in enumerate(("#e8c24a", "#d9764a", "#b8455b", "#5b5a9c", "#3d7f96")):
        y = 26 + index * 11
        c.arc(50, y + 4, 28, 0, 360, colour, 2 + index * 0.5, 0.22)
        for x in (19, 75):
            c.box(x, y, 6, 8, INK, 2)


def backpack(c):
    c.arc(50, 20, 8, 180, 360, INK, 3)
    for x in (22, 70):
        c.box(x, 48, 8, 24, "#8c2f2b", 3)
    c.box(27, 18, 46, 68, "#c9483e", 14)
    c.box(34, 52, 32, 26, "#a83a33", 5)
    c.line("#f0d9a8", 1.4, (36, 60), (64, 60))
    c.line("#8c2f2b", 1.6, (30, 44), (50, 47), (70, 44))
    c.box(46, 26, 8, 5, "#f0d9a8", 1)


PICTURES = {
    "KIT-MUG-004": mugs, "KIT-KNF-020": knife, "KIT-SKL-026": skillet, "KIT-KET-009": kettle, "KIT-GRD-030": grinder,
    "KIT-BRD-040": board, "ELE-HPH-035": headphones, "ELE-SPK-020": speaker, "ELE-CHG-065": charger,
    "ELE-KBD-075": keyboard, "ELE-PWB-010": power_bank, "ELE-RDR-007": reader, "BOO-LKA-412": lighthouse,
    "BOO-BRD-060": bread, "BOO-CLK-001": clocks, "BOO-SKY-012": sky, "BOO-NTB-192": notebook, "CLO-SWT-M01": sweater,
    "CLO-TSH-200": shirt, "CLO-JKT-003": jacket, "CLO-SCK-002": socks, "CLO-BLT-110": belt, "HOM-SHT-180": sheets,
    "HOM-LMP-027": lamp, "HOM-CND-045": candle, "HOM-CLK-030": wall_clock, "SPO-YGA-005": yoga, "SPO-BTL-750": bottle,
    "SPO-BND-005": bands, "SPO-BPK-028": backpack,
}


def main():
    directory = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    for sku, draw in PICTURES.items():
        canvas = Canvas(GROUNDS[sku[:3]])
        draw(canvas)
        small = canvas.image.resize((SIZE, SIZE), Image.Resampling.LANCZOS)
        small.quantize(32, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(directory / f"{sku}.png", optimize=True)


if __name__ == "__main__":
    main()
