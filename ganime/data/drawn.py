"""Anime faces that the project draws itself: a data set for whoever has none at hand (NumPy and Pillow, no TensorFlow)."""

import numpy as np
from PIL import Image, ImageDraw

from ganime.data.shapes import WHITE, curve, ellipse, hair_color, hsv, mirror, mix, pick, shade, spikes

SUPERSAMPLING = 4


class DrawnFaces:
    """A data set of drawn faces: the picture of index i is `draw_face(i)`.

    Args:
        count: Number of faces, 1 or more.
    """

    name = "drawn-faces"

    def __init__(self, count: int = 20_000):
        self.count = count
        self.fingerprint = f"drawn-faces-1-{count}"
        self.unreadable = {}

    def __len__(self):
        return self.count

    def __str__(self):
        return f"{self.count:,} faces that ganime draws itself"

    def __repr__(self):
        return f"<DrawnFaces: {self}>"

    def load_batch(self, indices: list[int], size: int) -> np.ndarray:
        return np.stack([draw_face(index, size) for index in indices])


def draw_face(seed: int, size: int = 64) -> np.ndarray:
    """Draw the anime face of that seed, anti-aliased.

    Args:
        seed: Integer from 0 to 2**32 - 1; the same seed is the same face at every size.
        size: Side in pixels.

    Returns:
        uint8 [size, size, 3], RGB.

    Example:
        >>> draw_face(7, size=128).shape
        (128, 128, 3)
    """
    return np.asarray(_Face(np.random.RandomState(seed), size * SUPERSAMPLING).draw().reduce(SUPERSAMPLING))


class _Face:
    """One face on one canvas. Coordinates are shares of the side, x to the right and y down, before the head's tilt."""

    def __init__(self, rng, side):
        self.rng = rng
        self.side = side
        self.hair = hair_color(rng)
        self.skin = hsv(rng.uniform(0.04, 0.085), rng.uniform(0.12, 0.42), rng.uniform(0.82, 1.0))
        self.eye = hsv(rng.uniform(), rng.uniform(0.45, 0.95), rng.uniform(0.5, 0.95))
        self.cloth = hsv(rng.uniform(), rng.uniform(0.0, 0.8), rng.uniform(0.2, 1.0))
        self.accent = hsv(rng.uniform(), rng.uniform(0.6, 0.95), rng.uniform(0.6, 1.0))
        self.width = rng.uniform(0.255, 0.295)  # half the face
        self.chin = rng.uniform(0.86, 0.92)
        self.eyes_y = rng.uniform(0.585, 0.625)
        self.turn = rng.uniform(-0.035, 0.035)  # features move sideways as the head turns
        angle = rng.normal(0, 0.09)
        tilt = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) * rng.uniform(0.92, 1.1)
        middle = np.array([0.5, 0.6])
        self.matrix = tilt * side
        self.shift = (middle - middle @ tilt + rng.uniform(-0.03, 0.03, 2) + (0, 0.01)) * side

    def draw(self):
        self.image = self._background()
        self.canvas = ImageDraw.Draw(self.image)
        style = pick(self.rng, {"long": 0.33, "bob": 0.22, "short": 0.15, "twin tails": 0.18, "spiky": 0.12})
        cat_ears = self.rng.uniform() < 0.1
        self._back_hair(style)
        if cat_ears:
            self._cat_ears()
        self._body()
        self._head()
        for side in (-1, 1):
            self._eye(side)
        self._mouth()
        if self.rng.uniform() < 0.1:
            self._glasses()
        self._front_hair(style)
        if not cat_ears:
            self._accessory()
        return self.image

    def _place(self, points):
        return (np.asarray(points) @ self.matrix + self.shift).ravel().tolist()

    def _fill(self, points, color, outline=None, width=0.008):
        points = self._place(points)
        self.canvas.polygon(points, fill=color)
        if outline:
            self.canvas.line([*points, *points[:2]], fill=outline, width=max(1, round(width * self.side)))

    def _line(self, points, color, width):
        self.canvas.line(self._place(points), fill=color, width=max(1, round(width * self.side)))

    def _background(self):
        rng, side = self.rng, self.side
        hue, saturation = rng.uniform(), rng.uniform(0.0, 0.55)
        top = hsv(hue, saturation, rng.uniform(0.55, 1.0))
        bottom = hsv(hue + rng.normal(0, 0.06), saturation * rng.uniform(0.3, 1), rng.uniform(0.55, 1.0))
        top = WHITE if rng.uniform() < 0.2 else top
        column = np.linspace(top, bottom, side).round().astype(np.uint8)
        image = Image.fromarray(column[:, None]).resize((side, side), Image.Resampling.NEAREST)
        canvas = ImageDraw.Draw(image)
        for _ in range(rng.poisson(2.0)):  # out-of-focus lights
            x, y, r = rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(0.05, 0.2)
            box = [(x - r) * side, (y - r) * side, (x + r) * side, (y + r) * side]
            canvas.ellipse(box, fill=mix(top, WHITE if rng.uniform() < 0.6 else bottom, rng.uniform(0.3, 0.7)))
        return image

    def _back_hair(self, style):
        rng, w, dark, line = self.rng, self.width, shade(self.hair, 0.78), shade(self.hair, 0.45)
        if style == "twin tails":
            for side in (-1, 1):
                x, spread = 0.5 + side * (w + 0.07), rng.uniform(0.09, 0.13)
                end = x + side * rng.uniform(0.0, 0.14)
                tail = [(x, 0.3), (x + side * spread, 0.45), (end + side * spread, 0.9), (end, 1.15), (end - side * 0.1, 0.9)]
                self._fill(curve([*tail, (x - side * 0.07, 0.5)]), dark, line)
        if style in ("long", "bob"):
            low = 1.2 if style == "long" else rng.uniform(0.84, 0.95)
            out = w + rng.uniform(0.09, 0.16)
            half = [(0.0, 0.1), (out * 0.8, 0.22), (out, 0.5), (out * rng.uniform(0.92, 1.12), 0.75), (out * 0.85, low)]
            self._fill(curve(mirror(half)), dark, line)
        else:
            out = w + rng.uniform(0.05, 0.08)
            self._fill(curve(mirror([(0.0, 0.12), (out * 0.8, 0.22), (out, 0.45), (out * 0.9, 0.68)])), dark, line)

    def _cat_ears(self):
        for side in (-1, 1):
            x = 0.5 + side * self.width * 0.75
            outer = [(x - side * 0.13, 0.22), (x + side * 0.05, 0.0), (x + side * 0.12, 0.32)]
            inner = [(x - side * 0.07, 0.21), (x + side * 0.04, 0.06), (x + side * 0.08, 0.28)]
            self._fill(outer, self.hair, shade(self.hair, 0.45))
            self._fill(inner, mix(self.skin, (255, 120, 140), 0.4))

    def _body(self):
        rng, line = self.rng, shade(self.cloth, 0.5)
        shoulder = rng.uniform(0.3, 0.42)
        half = [(0.075, 0.94), (shoulder, 1.02), (shoulder + 0.1, 1.3)]
        self._fill(mirror([(0.08, 0.8), (0.085, 1.2)]), shade(self.skin, 0.8))
        self._fill(mirror(half), self.cloth, line)
        self._fill([(0.42, 0.92), (0.58, 0.92), (0.5, 1.06)], shade(self.skin, 0.88))
        if rng.uniform() < 0.5:  # a collar
            for side in (-1, 1):
                x = 0.5 + side * 0.085
                self._fill([(x, 0.91), (0.5, 1.06), (x + side * 0.12, 1.04)], mix(self.cloth, WHITE, 0.75), line, 0.006)

    def _head(self):
        rng, w, line = self.rng, self.width, shade(self.skin, 0.55)
        if rng.uniform() < 0.6:
            for side in (-1, 1):
                self._fill(ellipse(0.5 + side * w, 0.61, 0.04, 0.07), self.skin, line, 0.006)
        jaw = rng.uniform(0.72, 0.9)
        half = [(0.0, 0.2), (w * 0.8, 0.3), (w, 0.5), (w * 0.97, 0.65), (w * jaw * 0.82, 0.79), (w * 0.22, self.chin)]
        self._fill(curve(mirror(half)), self.skin, line, 0.007)
        if rng.uniform() < 0.55:
            blush = mix(self.skin, (255, 95, 110), rng.uniform(0.2, 0.45))
            for side in (-1, 1):
                self._fill(ellipse(0.5 + side * w * 0.62 + self.turn, self.eyes_y + 0.115, 0.055, 0.025), blush)

    def _features(self):
        """What both eyes share; drawn at the first eye."""
        if not hasattr(self, "_shared"):
            rng = self.rng
            self._shared = {
                "height": rng.uniform(0.075, 0.105),
                "width": rng.uniform(0.066, 0.08),
                "gap": rng.uniform(0.132, 0.15),
                "look": rng.uniform(-0.014, 0.014),
                "lash": shade(mix(self.hair, (40, 20, 20), 0.6), 0.5),
                "slant": rng.uniform(-0.02, 0.02),
                "closed": rng.uniform() < 0.07,
                "brow": rng.uniform(-0.02, 0.02),
            }
        return self._shared

    def _eye(self, side):
        f = self._features()
        x, y, w, h = 0.5 + side * f["gap"] + self.turn, self.eyes_y, f["width"], f["height"]
        inner, outer = x - side * w * 1.05, x + side * w * 1.2
        brow_y = y - h - 0.055
        brow = [(inner, brow_y + f["brow"]), (x, brow_y - 0.012), (outer, brow_y + 0.012 - f["brow"])]
        self._line(curve(brow, closed=False), shade(self.hair, 0.55), 0.013)
        if f["closed"]:
            arc = [(inner, y + 0.02), (x, y + 0.055), (outer, y + 0.02)]
            return self._line(curve(arc, closed=False), f["lash"], 0.022)
        self._fill(ellipse(x, y, w, h * 0.95), WHITE)
        iris_x, iris_w, iris_h = x + f["look"], w * 0.78, h * 0.9
        self._fill(ellipse(iris_x, y, iris_w, iris_h), shade(self.eye, 0.55))
        self._fill(ellipse(iris_x, y + iris_h * 0.35, iris_w * 0.85, iris_h * 0.58), self.eye)
        self._fill(ellipse(iris_x, y + iris_h * 0.6, iris_w * 0.5, iris_h * 0.28), mix(self.eye, WHITE, 0.45))
        self._fill(ellipse(iris_x, y, iris_w * 0.42, iris_h * 0.5), shade(self.eye, 0.2))
        self._fill(ellipse(iris_x - 0.022, y - iris_h * 0.42, 0.021, 0.026), WHITE)
        self._fill(ellipse(iris_x + 0.024, y + iris_h * 0.42, 0.01, 0.012), WHITE)
        top = y - h * 0.98
        lash = [(inner, y - h * 0.45 + f["slant"]), (x, top), (outer, y - h * 0.4 - f["slant"])]
        self._line(curve(lash, closed=False), f["lash"], 0.026)
        self._line([(outer, y - h * 0.42 - f["slant"]), (outer + side * 0.012, y - h * 0.1)], f["lash"], 0.014)
        self._line([(x - w * 0.5, y + h * 0.97), (x + w * 0.5, y + h * 0.97)], shade(self.skin, 0.5), 0.007)

    def _mouth(self):
        rng, x = self.rng, 0.5 + self.turn * 1.3
        y = (self.eyes_y + 0.1) * 0.45 + self.chin * 0.55 - 0.015
        line = shade(mix(self.skin, (170, 50, 50), 0.5), 0.65)
        nose_y = self.eyes_y + 0.085
        self._line([(x - 0.004, nose_y), (x + 0.006, nose_y + 0.014)], shade(self.skin, 0.6), 0.01)
        kind = pick(rng, {"smile": 0.38, "line": 0.18, "open": 0.26, "cat": 0.08, "sad": 0.1})
        w = rng.uniform(0.03, 0.06)
        if kind == "open":
            h = rng.uniform(0.025, 0.055)
            self._fill(curve([(x - w, y), (x, y - 0.006), (x + w, y), (x, y + h)]), (170, 50, 60), line, 0.007)
            self._fill(ellipse(x, y + h * 0.55, w * 0.45, h * 0.22), (235, 120, 125))
        elif kind == "cat":
            points = [(x - w, y), (x - w / 2, y + 0.016), (x, y), (x + w / 2, y + 0.016), (x + w, y)]
            self._line(curve(points, closed=False), line, 0.01)
        else:
            bend = {"smile": 0.022, "line": 0.0, "sad": -0.016}[kind]
            self._line(curve([(x - w, y), (x, y + bend), (x + w, y)], closed=False), line, 0.011)

    def _glasses(self):
        frame = shade(self.accent, 0.5)
        for side in (-1, 1):
            rim = self._place(ellipse(0.5 + side * 0.142 + self.turn, self.eyes_y + 0.01, 0.115, 0.1))
            self.canvas.line([*rim, *rim[:2]], fill=frame, width=max(1, round(0.012 * self.side)))
        self._line([(0.47 + self.turn, self.eyes_y), (0.53 + self.turn, self.eyes_y)], frame, 0.012)

    def _front_hair(self, style):
        rng, w, line = self.rng, self.width, shade(self.hair, 0.5)
        out = w + 0.045
        if style != "short" or rng.uniform() < 0.5:  # side locks
            low = rng.uniform(0.68, 0.98)
            for side in (-1, 1):
                x = 0.5 + side * out
                lock = [(x - side * 0.02, 0.3), (x + side * 0.025, 0.5), (x - side * 0.005, low), (x - side * 0.075, 0.52)]
                self._fill(curve(lock), self.hair, line)
        strands = rng.randint(4, 8)
        part = rng.uniform(0.25, 0.75)  # where the hair parts, from one side to the other
        low, depth = self.eyes_y - rng.uniform(0.05, 0.11), rng.uniform(0.05, 0.13)
        edge = []
        for i, t in enumerate(np.linspace(0, 1, 2 * strands + 1)):
            x = 0.5 + (t - 0.5) * 2 * out * 0.97
            lift = max(0.0, 1 - abs(t - part) * 4) * 0.1 + 0.16 * (2 * t - 1) ** 2 * (-1 if style != "short" else -0.4)
            tip = i % 2 == 1
            y = low - lift - (0 if tip else depth * rng.uniform(0.7, 1.3)) + rng.normal(0, 0.012)
            edge.append((x + (t - part) * 0.05 * tip, y))
        half = [(out, 0.5), (out * 1.02, 0.36), (out * 0.72, 0.17)]
        crown = [*((0.5 - x, y) for x, y in half), (0.5, 0.09), *((0.5 + x, y) for x, y in half[::-1])]
        crown = spikes(crown, rng) if style == "spiky" else curve(crown, closed=False)
        fringe = [*crown, *edge[::-1]]
        self._fill([(x, y + 0.022) for x, y in [*edge[1:-1], (0.5, 0.3)]], shade(self.skin, 0.8))  # its shadow
        self._fill(fringe, self.hair, line)
        shine = mix(self.hair, WHITE, rng.uniform(0.2, 0.5))
        y, reach = rng.uniform(0.25, 0.3), out * rng.uniform(0.5, 0.8)
        xs = np.linspace(-reach, reach, 9)
        band = [(0.5 + x, y - 0.035 + 0.9 * x * x + 0.02 * (i % 2)) for i, x in enumerate(xs)]
        self._line(band, shine, rng.uniform(0.012, 0.03))
        for root in edge[2:-2:2]:  # strands
            self._line([root, ((root[0] * 2 + 0.5) / 3, root[1] - 0.11)], shade(self.hair, 0.72), 0.007)

    def _accessory(self):
        rng, side = self.rng, 1 if self.rng.uniform() < 0.5 else -1
        x, y, line = 0.5 + side * self.width * 0.85, 0.27, shade(self.accent, 0.5)
        kind = pick(rng, {"none": 0.45, "ribbon": 0.15, "clip": 0.14, "flower": 0.1, "band": 0.1, "headphones": 0.06})
        if kind == "ribbon":
            for wing in (-1, 1):
                self._fill([(x, y), (x + wing * 0.12, y - 0.075), (x + wing * 0.11, y + 0.06)], self.accent, line)
            self._fill(ellipse(x, y, 0.027, 0.03), shade(self.accent, 0.8), line)
        elif kind == "clip":
            for tilt in (-0.05, 0.05):
                self._line([(x - 0.045, y + 0.06 + tilt), (x + 0.045, y + 0.06 - tilt)], self.accent, 0.022)
        elif kind == "flower":
            for angle in np.arange(5) * 2 * np.pi / 5:
                self._fill(
                    ellipse(x + 0.042 * np.cos(angle), y + 0.042 * np.sin(angle), 0.036, 0.036), self.accent, line, 0.004
                )
            self._fill(ellipse(x, y, 0.026, 0.026), (255, 225, 110))
        elif kind in ("band", "headphones"):
            out = self.width + 0.05
            arc = [(-out, 0.42), (-out * 0.72, 0.2), (0, 0.125), (out * 0.72, 0.2), (out, 0.42)]
            self._line(curve([(0.5 + px, py) for px, py in arc], closed=False), self.accent, 0.035)
            if kind == "headphones":
                for ear in (-1, 1):
                    self._fill(ellipse(0.5 + ear * (out + 0.01), 0.55, 0.06, 0.11), self.accent, line)
