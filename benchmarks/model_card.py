"""What the scores of `evaluate` leave open about a generator, each beside the same of real faces.

    python -m benchmarks.model_card --data faces --cascade lbpcascade_animeface.xml

How many of its faces a detector of anime faces finds (OpenCV's cascade at `minNeighbors=5`; faces padded by a quarter at each
side and doubled in size), and how near to each other they are: the distance of each to its nearest among the others, in the
features of lite0. Without --model it is the generator that ships. Real faces are of the tenth that was held out, and as many.
"""

from pathlib import Path

import click
import cv2
import numpy as np

import ganime
from ganime.data.detect import FaceDetector
from ganime.metrics.distances import nearest_neighbors
from ganime.metrics.features import FeatureExtractor


def share_found(faces, detector):
    """The share of faces, uint8 [count, 64, 64, 3], in which the detector finds one or more."""
    pad = faces.shape[1] // 4
    found = 0
    for face in faces:
        padded = cv2.copyMakeBorder(face, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
        found += bool(detector.find(cv2.resize(padded, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), min_neighbors=5))
    return found / len(faces)


@click.command()
@click.option("--data", required=True, help="The folder of faces that it was trained on.")
@click.option("--cascade", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--model", type=click.Path(exists=True, path_type=Path), help="A generator.")
@click.option("--samples", default=1000, show_default=True)
def main(data, cascade, model, samples):
    """Print the table."""
    generator = ganime.load_generator(model)
    held_out = ganime.split(ganime.open_pictures(data), 64)[1]
    extractor, detector = FeatureExtractor(), FaceDetector(cascade)
    print(f"| {samples:,} faces | found by the cascade | nearest other face, least | 1 % | median |\n|---|--:|--:|--:|--:|")
    for name, pictures in {"generated": ganime.GeneratedPictures(generator, samples), "real": held_out}.items():
        faces = pictures.load_batch(list(range(samples)), 64)
        features = extractor(faces)["features"]
        gaps = nearest_neighbors(features, features, 2)[1][:, 1]  # the first is the face itself
        least, low, middle = np.quantile(gaps, [0, 0.01, 0.5])
        print(f"| {name} | {share_found(faces, detector):.1%} | {least:.2f} | {low:.2f} | {middle:.2f} |")


if __name__ == "__main__":
    main()
