"""Rooms, gardens and other backgrounds, and the things that stand about in them."""

import math
import random

import numpy as np
from PIL import Image, ImageDraw

from retrain.demo.colours import Colour, any_colour, mix, varied
from retrain.demo.shapes import ribbon


def ramp(size: tuple[int, int], top: Colour, bottom: Colour) -> Image.Image:
    """A canvas that goes from one colour to another."""
    blend = Image.linear_gradient("L").resize(size)
    return Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), blend)


def paint_room(size: tuple[int, int], ground: int, lot: random.Random) -> Image.Image:
    """A wall, a skirting board, a floor, and a window or a picture."""
    wall, floor = any_colour(lot), any_colour(lot)
    canvas = ramp(size, varied(wall, lot, 20), wall)
    draw = ImageDraw.Draw(canvas)
    width, height = size
    edge = ground - lot.randint(20, 110)
    draw.rectangle((0, edge, width, height), fill=floor)
    if lot.random() < 0.6:
        for x in range(lot.randint(-60, 0), width, lot.randint(40, 90)):
            draw.line((x, edge, x + (x - width / 2) * 0.6, height), fill=mix(floor, (0, 0, 0), 0.2), width=3)
    draw.rectangle((0, edge - 10, width, edge), fill=mix(wall, (255, 255, 255), 0.5))
    left, wide, tall = lot.randint(0, width), lot.randint(90, 180), lot.randint(80, 170)
    draw.rectangle(
        (left, 20, left + wide, 20 + tall),
        fill=mix(any_colour(lot), (255, 255, 255), 0.3),
        outline=any_colour(lot),
        width=8,
    )
    if lot.random() < 0.5:
        draw.line((left + wide / 2, 20, left + wide / 2, 20 + tall), fill=(236, 232, 224), width=7)
    return canvas


def paint_grass(size: tuple[int, int], ground: int, lot: random.Random) -> Image.Image:
    """A meadow under a bit of sky, with blades and flowers."""
    width, height = size
    green = varied((96, 142, 62), lot, 26)
    canvas = ramp(size, varied((170, 204, 228), lot, 20), varied((206, 222, 226), lot, 14))
    edge = ground - lot.randint(30, 260)
    canvas.paste(ramp((width, height), mix(green, (230, 230, 140), 0.25), mix(green, (10, 40, 10), 0.35)), (0, edge))
    draw = ImageDraw.Draw(canvas)
    for _ in range(220):
        x, y = lot.uniform(0, width), lot.uniform(edge, height)
        draw.line((x, y, x + lot.uniform(-8, 8), y - lot.uniform(8, 26)), fill=varied(green, lot, 30), width=2)
    flower = any_colour(lot)
    for _ in range(lot.randint(0, 16)):
        x, y = lot.uniform(0, width), lot.uniform(max(edge, 0), height)
        draw.ellipse((x - 6, y - 6, x + 6, y + 6), fill=flower)
        draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=(240, 200, 60))
    return canvas


def paint_sofa(size: tuple[int, int], ground: int, lot: random.Random) -> Image.Image:
    """The back and the seat of a sofa, with cushions."""
    width, height = size
    cloth = any_colour(lot)
    canvas = Image.new("RGB", size, any_colour(lot))
    draw = ImageDraw.Draw(canvas)
    back, seat = lot.randint(30, 120), ground - lot.randint(20, 70)
    draw.rounded_rectangle((-40, back, width + 40, height), 50, fill=mix(cloth, (0, 0, 0), 0.12))
    for x in range(lot.randint(-100, 0), width, lot.randint(170, 260)):
        draw.line((x, back + 12, x, seat), fill=mix(cloth, (0, 0, 0), 0.35), width=5)
    draw.rounded_rectangle((-40, seat, width + 40, height + 60), 26, fill=mix(cloth, (255, 255, 255), 0.12))
    for _ in range(lot.randint(0, 2)):
        x, side = lot.randint(0, width), lot.randint(70, 130)
        draw.rounded_rectangle((x - side, seat - side, x + side // 2, seat + 20), 24, fill=any_colour(lot))
    return canvas


def paint_sky(size: tuple[int, int], ground: int, lot: random.Random) -> Image.Image:
    """Sky and clouds over a wall that the cat has climbed."""
    width, height = size
    canvas = ramp(
        size,
        varied(lot.choice(((96, 150, 212), (60, 72, 120), (226, 160, 120))), lot, 20),
        varied((220, 222, 226), lot, 20),
    )
    draw = ImageDraw.Draw(canvas)
    for _ in range(lot.randint(0, 4)):
        x, y = lot.uniform(0, width), lot.uniform(0, ground * 0.7)
        for _ in range(5):
            reach = lot.uniform(20, 46)
            left, top = x + lot.uniform(-60, 60), y + lot.uniform(-14, 14)
            draw.ellipse((left - reach, top - reach * 0.6, left + reach, top + reach * 0.6), fill=(240, 240, 244))
    stone = any_colour(lot)
    top = ground - lot.randint(8, 30)
    draw.rectangle((0, top, width, height), fill=stone)
    for row, y in enumerate(range(top, height, 36)):
        draw.line((0, y, width, y), fill=mix(stone, (0, 0, 0), 0.25), width=3)
        for x in range(-40 + row % 2 * 40, width, 80):
            draw.line((x, y, x, y + 36), fill=mix(stone, (0, 0, 0), 0.25), width=3)
    return canvas


def paint_wallpaper(size: tuple[int, int], ground: int, lot: random.Random) -> Image.Image:
    """Striped or dotted wallpaper, or a checked floor: patterns that belong to no coat."""
    width, height = size
    one, step = any_colour(lot), lot.randint(28, 80)
    other = mix(one, any_colour(lot), lot.uniform(0.25, 0.8))
    canvas = Image.new("RGB", size, one)
    draw = ImageDraw.Draw(canvas)
    kind = lot.choice(("stripes", "bars", "dots", "checks"))
    for x in range(0, width, step):
        if kind == "stripes":
            draw.rectangle((x, 0, x + step // 2, height), fill=other)
        for y in range(0, height, step):
            if kind == "bars" and x == 0:
                draw.rectangle((0, y, width, y + step // 2), fill=other)
            elif kind == "dots":
                draw.ellipse((x, y, x + step // 2, y + step // 2), fill=other)
            elif kind == "checks" and (x // step + y // step) % 2:
                draw.rectangle((x, y, x + step, y + step), fill=other)
    if lot.random() < 0.6:
        draw.rectangle((0, ground - lot.randint(15, 80), width, height), fill=any_colour(lot))
    return canvas


def paint_backdrop(size: tuple[int, int], ground: int, lot: random.Random) -> Image.Image:
    """Nothing but one colour running into another."""
    one = any_colour(lot)
    return ramp(size, one, mix(one, any_colour(lot), lot.uniform(0.2, 0.9)))


BACKGROUNDS = (paint_room, paint_grass, paint_sofa, paint_sky, paint_wallpaper, paint_backdrop)


def add_clutter(canvas: Image.Image, ground: int, lot: random.Random) -> None:
    """Things that stand about: balls, boxes, plants, books."""
    draw = ImageDraw.Draw(canvas)
    for _ in range(lot.choice((0, 0, 1, 1, 2, 3))):
        x, size, colour = lot.randint(0, canvas.width), lot.randint(18, 60), any_colour(lot)
        y = ground + lot.randint(-20, 40)
        dark = mix(colour, (0, 0, 0), 0.3)
        kind = lot.choice(("ball", "box", "plant", "books"))
        if kind == "ball":
            draw.ellipse((x - size // 2, y - size, x + size // 2, y), fill=colour)
            for turn in range(0, 180, 40):
                draw.arc((x - size // 2, y - size, x + size // 2, y), turn, turn + 120, fill=dark, width=3)
        elif kind == "box":
            draw.rectangle((x - size, y - size, x + size, y), fill=colour)
            draw.line((x - size, y - size * 0.7, x + size, y - size * 0.7), fill=dark, width=4)
        elif kind == "plant":
            for turn in range(-70, 71, 20):
                lean = math.radians(turn + lot.uniform(-8, 8))
                top = np.array(
                    [(x, y - size), (x + size * 1.6 * math.sin(lean), y - size - size * 1.6 * math.cos(lean))]
                )
                leaf = ribbon(top, 3, 6)
                draw.polygon([tuple(point) for point in leaf.tolist()], fill=varied((70, 120, 60), lot, 20))
            draw.polygon(
                [(x - size // 2, y - size), (x + size // 2, y - size), (x + size // 3, y), (x - size // 3, y)],
                fill=colour,
            )
        else:
            for level in range(3):
                shift = lot.randint(-10, 10)
                draw.rectangle(
                    (x - size + shift, y - (level + 1) * 16, x + size + shift, y - level * 16), fill=any_colour(lot)
                )
