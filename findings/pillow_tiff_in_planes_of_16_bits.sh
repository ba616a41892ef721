#!/usr/bin/env bash
# Pillow 13.0.0: an uncompressed TIFF whose colors are in planes of 16 bits is opened without an error, as another picture.
#
# With "separate" planes (PlanarConfiguration 2) every plane is read as if its samples had 8 bits. So each color is the upper half
# of the plane at twice its height, its pixels' low and high bytes side by side as if they were two pixels. There is no error and
# no warning; width, height and mode are right. The same samples compressed, or pixel by pixel, or of 8 bits, are read as they are.
#
# Seen: the same picture of 64x64 in the four ways: three are equal to it, and the fourth differs by 57 of 255 on average.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 tifffile==2026.3.3 numpy==2.4.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import numpy
import tifffile
from PIL import Image

rows, columns = numpy.mgrid[:64, :64]
picture = numpy.stack([4 * rows, 4 * columns, 2 * (rows + columns)], axis=-1).astype(numpy.uint8)
deep = picture.astype(numpy.uint16) * 257
planes = {"photometric": "rgb", "planarconfig": "separate"}
ways = {
    "pixels of 16 bits": (deep, {"photometric": "rgb"}),
    "planes of 8 bits": (picture.transpose(2, 0, 1), planes),
    "planes of 16 bits, deflated": (deep.transpose(2, 0, 1), {**planes, "compression": "zlib", "predictor": False}),
    "planes of 16 bits": (deep.transpose(2, 0, 1), planes),
}
differences = {}
for name, (samples, options) in ways.items():
    path = f"{sys.argv[1]}/picture.tif"
    tifffile.imwrite(path, numpy.ascontiguousarray(samples), **options)
    with Image.open(path) as image:
        assert (image.size, image.mode) == ((64, 64), "RGB")
        differences[name] = float(numpy.abs(numpy.asarray(image).astype(int) - picture).mean())
    print(f"{name}: differs by {differences[name]:.1f} of 255")
wrong = differences.pop("planes of 16 bits")
assert wrong > 20 and max(differences.values()) == 0
PYTHON
