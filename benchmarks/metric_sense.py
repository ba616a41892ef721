"""Whether the scores say what a person sees: real faces, halved and then spoiled in known ways.

    python -m benchmarks.metric_sense --data faces

One half is the reference. The other half is scored as it is, as copies of the reference, blurred, with noise, with grey
blocks, with its quadrants shuffled, and collapsed to a few pictures. Ends with code 1 if a distance does not rise with one of
these, precision does not fall with blur or recall with collapse.
"""

import click
import numpy as np
from PIL import Image, ImageFilter

from ganime.data.sources import open_pictures
from ganime.data.split import Selection
from ganime.metrics.evaluation import score, score_names
from ganime.metrics.features import FeatureExtractor

SIZE = 64


def blur(images, rng, sigma):
    """Gaussian."""
    return np.stack([Image.fromarray(image).filter(ImageFilter.GaussianBlur(sigma)) for image in images])


def noise(images, rng, deviation):
    """Normal, on each channel of each pixel."""
    return np.clip(np.rint(images + rng.normal(0, deviation, images.shape)), 0, 255).astype(np.uint8)


def grey_blocks(images, rng, side):
    """One in each picture, anywhere."""
    images = images.copy()
    for image in images:
        top, left = rng.integers(0, SIZE - side + 1, 2)
        image[top : top + side, left : left + side] = 128
    return images


def shuffled_quadrants(images, rng, share):
    """In a share of the pictures."""
    images, half = images.copy(), SIZE // 2
    for image in images[: round(share * len(images))]:
        quadrants = [image[y : y + half, x : x + half].copy() for y in (0, half) for x in (0, half)]
        for place, which in enumerate(np.roll(range(4), rng.integers(1, 4))):  # none stays in its place
            image[place // 2 * half :, place % 2 * half :][:half, :half] = quadrants[which]
    return images


def collapse(images, rng, different):
    """So many different pictures, repeated."""
    return images[rng.integers(0, different, len(images))]


SPOILED = {  # harder and harder
    "blur, sigma {} pixels": (blur, (0.5, 1, 2)),
    "noise, deviation {} of 255": (noise, (8, 16, 32)),
    "a grey block of {0}x{0}": (grey_blocks, (8, 16, 32)),
    "quadrants shuffled in {:.0%}": (shuffled_quadrants, (0.25, 0.5, 1)),
    "collapsed to {} pictures": (collapse, (100, 25, 5)),
}


@click.command()
@click.option("--data", required=True, help="A folder of faces.")
@click.option("--count", default=5000, show_default=True, help="Pictures in each half.")
@click.option("--network", default="lite0", show_default=True)
@click.option("--weights", metavar="FILE", help="Of the network.")
def main(data, count, network, weights):
    """Print the table."""
    pictures, extractor, rng = open_pictures(data), FeatureExtractor(network, weights), np.random.default_rng(0)
    count = min(count, len(pictures) // 2)
    order = rng.permutation(len(pictures))
    halves = [Selection(pictures, order[i * count : (i + 1) * count]).load_batch(range(count), SIZE) for i in range(2)]
    reference = extractor(halves[0])["features"]
    columns = [name for name in score_names(extractor) if not name.endswith("-deviation")]
    click.echo("| " + " | ".join([f"{count:,} against {count:,}", *columns]) + " |\n|---" + "|--:" * len(columns) + "|")

    def show(name, images):
        scores = score(reference, extractor(images), extractor)
        click.echo(f"| {name} | " + " | ".join(f"{scores[column]:.4g}" for column in columns) + " |")
        return scores

    untouched = show("the other half as it is", halves[1])
    show("copies of the reference", halves[0])
    wrong = []
    for name, (spoil, strengths) in SPOILED.items():
        rows = [untouched, *(show(name.format(value), spoil(halves[1], rng, value)) for value in strengths)]
        for column in (extractor.network.frechet, extractor.network.kernel):
            if (np.diff([row[column] for row in rows]) <= 0).any():
                wrong.append(f"{column} does not rise with {name}")
        for kind, spoiled in (("precision", blur), ("recall", collapse)):
            if spoil is spoiled and max(row[f"{kind}-{network}"] for row in rows[1:]) >= untouched[f"{kind}-{network}"]:
                wrong.append(f"{kind} does not fall with {name}")
    if wrong:
        raise click.ClickException("; ".join(wrong))
    click.echo("Both distances rise at every step of every kind; precision falls with blur, recall with collapse.")


if __name__ == "__main__":
    main()
