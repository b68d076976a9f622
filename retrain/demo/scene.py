"""One picture: a cat in front of a background, as a camera sees it."""

import math
import random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from retrain.demo.background import BACKGROUNDS, add_clutter
from retrain.demo.body import Cat
from retrain.demo.poses import POSES, pose_for_portrait, wobble
from retrain.demo.shapes import Frame, oval

FINE = 2  # everything is painted this much larger and then reduced: smooth edges


def drop_shadow(canvas: Image.Image, frame: Frame, wide: float, lot: random.Random) -> None:
    """The shadow on the ground that keeps the cat from floating."""
    small = Image.new("L", (canvas.width // 8, canvas.height // 8))
    edge = frame.place(oval(wobble(lot, 0.1), 0.0, wide * 0.42, 0.09)) / 8
    ImageDraw.Draw(small).polygon([tuple(point) for point in edge.tolist()], fill=lot.randint(90, 150))
    canvas.paste((14, 12, 22), (0, 0), small.filter(ImageFilter.GaussianBlur(3)).resize(canvas.size))


def expose(canvas: Image.Image, lot: random.Random) -> Image.Image:
    """What a camera and the hour do to a picture: light, tint, vignette, blur, noise."""
    noise = np.random.default_rng(lot.getrandbits(64))
    blurred = canvas.filter(ImageFilter.GaussianBlur(lot.uniform(0.0, 0.9)))
    pixels = np.asarray(blurred, np.float32)
    height, width, _ = pixels.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    angle = lot.uniform(0, 2 * math.pi)
    light = lot.uniform(0.7, 1.22) + lot.uniform(0.0, 0.25) * (x * math.cos(angle) + y * math.sin(angle))
    light -= lot.uniform(0.0, 0.2) * (x * x + y * y)
    warmth, green = lot.uniform(-0.12, 0.12), lot.uniform(-0.04, 0.04)
    tint = np.array([1 + warmth, 1 + green, 1 - warmth], np.float32)
    pixels = (pixels - 128) * np.float32(lot.uniform(0.8, 1.1)) + 128
    grain = noise.standard_normal((height, width, 1), np.float32) * np.float32(lot.uniform(0.5, 4.5))
    return Image.fromarray(
        np.clip(pixels * light[:, :, None].astype(np.float32) * tint + grain, 0, 255).astype(np.uint8)
    )


def draw_cat(coat: str, seed: str) -> Image.Image:
    """One picture of a cat with this coat."""
    # Scene and cat have lots of their own, so that no coat can have backgrounds of its own.
    scene, pose_lot = random.Random(f"{seed}/scene"), random.Random(f"{seed}/cat")
    width, height = scene.randrange(240, 321, 8), scene.randrange(240, 321, 8)
    size = (width * FINE, height * FINE)
    paint_pose, wide, tall, below = pose_lot.choice(POSES)
    unit = min(size[0] / wide, size[1] / tall) * pose_lot.uniform(0.74, 1.0)
    portrait = paint_pose is pose_for_portrait
    spare = size[1] - tall * unit
    ground = size[1] - round(below * unit + spare * pose_lot.uniform(0.1, 0.7))
    if portrait:
        ground = size[1] - round(0.1 * unit)
    slack = max(size[0] - wide * unit, 0.0)
    frame = Frame(
        size[0] / 2 + slack * pose_lot.uniform(-0.5, 0.5),
        ground,
        unit,
        pose_lot.uniform(-4, 4),
        pose_lot.random() < 0.5,
    )
    canvas = scene.choice(BACKGROUNDS)(size, ground, scene)
    add_clutter(canvas, ground, scene)
    canvas = canvas.filter(ImageFilter.BoxBlur(scene.uniform(0.5, 5.0)))  # the cat is in focus
    if not portrait:
        drop_shadow(canvas, frame, wide, pose_lot)
    paint_pose(Cat(canvas, coat, pose_lot), frame)
    return expose(canvas.reduce(FINE), scene)
