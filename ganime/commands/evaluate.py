"""The command line's `evaluate`, and what `fit` needs to do it while training."""

import json
import logging
import re
from pathlib import Path

import click

from ganime.commands.outputs import check_outside, check_picture_name, force_option
from ganime.commands.tools import Number, echo, find_model, is_file, progress_bar, quiet_start
from ganime.data.names import show
from ganime.errors import InputError
from ganime.files import hash_file
from ganime.metrics.networks import network_names

log = logging.getLogger("ganime")


@click.command()
@click.argument("model", required=False, metavar="[RUN[@STEP]|FILE.keras]")
@click.option(
    "--images",
    multiple=True,
    metavar="PICTURES",
    help="Score these pictures, made by whatever program, instead of a generator's; repeatable.",
)
@click.option(
    "--data",
    multiple=True,
    metavar="PICTURES",
    help="Real pictures, as for `fit`; repeatable. A run on drawn faces needs none.",
)
@click.option(
    "--labels",
    metavar="folders|captions[:N]|FILE",
    help="The labels of the real pictures, as for `fit`: score each label of the generator too.",
)
@click.option(
    "--part",
    default="all",
    show_default=True,
    type=click.Choice(["all", "train", "test"]),
    help="Which of the real pictures: `fit --evaluate-every` holds out test.",
)
@click.option("--network", default="lite0", show_default=True, type=click.Choice(network_names()), help="Whose features.")
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Its weights, of PyTorch or TorchScript.  [default: found or fetched]",
)
@click.option("--samples", default=5000, show_default=True, type=click.IntRange(1, 10**6), help="Pictures to score, at most.")
@click.option(
    "--real-samples",
    type=click.IntRange(1, 10**9),
    metavar="COUNT",
    help="Compare with so many real pictures, at most, for a quick look.  [default: all]",
)
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0, 2**32 - 1), help="Of the first face, and of all choices."
)
@click.option("--truncation", default=1.0, show_default=True, type=Number(0, 1), help="As for `generate`.")
@click.option("--size", type=click.IntRange(8, 1024), help="Side at which --images are compared.  [default: 64]")
@click.option("--nearest", type=click.Path(path_type=Path), metavar="FILE", help="Show the likeliest copies there.")
@force_option
def evaluate(
    model, images, data, labels, part, network, weights, samples, real_samples, seed, truncation, size, nearest, force
):
    """Score a generator, or anybody's pictures, against real ones.

    The last line of output is JSON with what is needed to repeat it; for a run it is added to its evaluations.jsonl too.
    Compare only scores by the same network, from the same number of pictures and against the same real ones. Only --network
    inception gives an FID. With --labels the faces have the real pictures' labels in their shares, and each label's faces are
    compared with the real pictures of that label.

    \b
    Examples:
      python cli.py evaluate faces-default --data faces
      python cli.py evaluate faces-by-hair-default --data faces-by-hair --labels folders
      python cli.py evaluate generator.keras --data faces --network inception --samples 50000
      python cli.py evaluate --images their-faces --data faces --nearest nearest.png
    """
    from ganime.run import library_versions
    from ganime.snapshots import open_run

    if bool(model) == bool(images):
        raise InputError("give either a run or generator to score, or --images")
    if (images and truncation != 1) or (model and size):
        raise InputError("--truncation is for a generator, --size for --images")
    if images and labels is not None:
        raise InputError("--labels is for a generator with labels, not for --images")
    if nearest:
        _check_nearest(nearest, part, data, real_samples, force)
    elif force:
        raise InputError("--force is for --nearest")
    run = open_run(model) if model and not is_file(model) else None
    real = _open_real(data, run, labels)
    with quiet_start():
        from ganime.metrics import by_label, evaluation
        from ganime.metrics.features import FeatureExtractor

    if images:
        pictures, size, about = _open_images(images, samples, seed, size or 64)
    else:
        pictures, size, about = _open_generator(
            run.generator_path if run else find_model(None, model), samples, seed, truncation, real
        )
    if part != "all":
        real = _choose_part(real, part, size, run)
    real = _choose(real, real_samples, seed)
    evaluation.check_enough(real, len(pictures))
    extractor = FeatureExtractor(network, weights)
    with progress_bar("real pictures") as report:
        real_features = evaluation.reference_features(real, size, extractor, report)
    with progress_bar("scored pictures") as report:
        made = extractor.extract(pictures, size, report)
    scores = evaluation.score(real_features, made, extractor, seed)
    given = [*data] if len(data) > 1 else next(iter(data), None)
    against = {"data": given, "name": real.name, "part": part, "pictures": len(real), "fingerprint": real.fingerprint}
    settings = {"samples": len(pictures), "seed": seed, "size": size, **extractor.identity}
    echo(f"{len(pictures):,} pictures against {len(real):,} real ones at {size}x{size}, by {network}")
    for name, value in evaluation.describe_scores(scores).items():
        echo(f"{name:>24}  {value}")
    each = {}
    if getattr(real, "labels", ()):
        numbers = by_label.label_numbers(real, pictures.labels), pictures.numbers
        args = real_features, numbers[0], made["features"], numbers[1], pictures.labels, extractor, seed
        each = {"labels": by_label.score_labels(*args)}
        for line in by_label.describe_label_scores(each["labels"], extractor.network.kernel):
            echo(f"{extractor.network.kernel:>24}  {line}")
    _record({"scores": scores, **each, **about, **settings, "real": against, "versions": library_versions()}, run)
    if nearest:
        from ganime.pictures.grids import save_picture

        save_picture(nearest, evaluation.nearest_pictures(pictures, made["features"], real, real_features, size))


def _record(result, run):
    line = json.dumps(result)
    echo(line)
    if run:
        with open(run.evaluations_path, "a+b") as file:
            file.seek(max(0, file.tell() - 1))
            torn = file.read() not in (b"", b"\n")  # the last line, by a kill
            file.write(b"\n" * torn + line.encode() + b"\n")


def only_training(pictures, size):
    """What to train on where another process scores with the rest."""
    return _split(pictures, size)[0]


def hold_out(pictures, size, every, run):
    """What to train on, and the callback that scores with the rest."""
    from ganime.metrics.evaluation import reference_features
    from ganime.metrics.features import FeatureExtractor
    from ganime.metrics.while_training import Evaluation
    from ganime.training.conditioning import describe_labels

    train, test = _split(pictures, size)
    extractor = FeatureExtractor()
    with progress_bar("held-out pictures") as report:
        reference_features(test, size, extractor, report)
    best = run.best_score(extractor.network.kernel, train.fingerprint, describe_labels(train).get("labels"))
    return train, Evaluation(test, every, extractor=extractor, best_path=run.best_path, best=best)


def warn_of_seen(run, train):
    """Say so if a run that goes on with other pictures may have seen those that these hold out."""
    if not run.config_path.exists():
        return
    config = run.read_config()
    others = [data for data in (config["data"], *config.get("data_before", [])) if data["fingerprint"] != train.fingerprint]
    # Who held pictures out before held out the same ones of those that are here too: that goes by their content.
    if seen := [data["name"] for data in others if not re.search("-[0-9a-f]{16}$", data["fingerprint"])]:
        known = f"run {show(run.name)} was trained on all of {show(seen[0])}"
        log.warning("%s: where these are among the held-out pictures, scores are too good", known)


def _check_nearest(nearest, part, data, real_samples, force):
    check_picture_name("--nearest", nearest, force)
    for folder in map(Path, data):
        if folder.is_dir():
            check_outside(nearest, folder)
    if part == "test" or real_samples:
        left_out = "--part test" if part == "test" else "--real-samples"
        raise InputError(f"--nearest is to find copies of what was trained on, which {left_out} leaves out")


def _open_real(data, run, labels=None):
    from ganime.data.drawn import DrawnFaces
    from ganime.data.joined import as_pictures
    from ganime.data.labelled import label_pictures

    fingerprint = run.read_config()["data"]["fingerprint"] if run else ""
    if data:
        return as_pictures(data) if labels is None else label_pictures(as_pictures(data), labels)
    if labels is not None:
        raise InputError("--labels is for pictures from --data")
    if fingerprint.startswith(DrawnFaces().fingerprint):
        return DrawnFaces()
    raise InputError("--data is missing: the real pictures to compare with")


def _choose_part(pictures, part, size, run):
    train, test = _split(pictures, size)
    if run and run.read_config()["data"]["fingerprint"] != train.fingerprint:
        raise InputError(
            f"--part: run {show(run.name)} was not trained on these pictures without the test part (--evaluate-every)"
        )
    if run and part == "test":
        warn_of_seen(run, train)
    return train if part == "train" else test


def _split(pictures, size):
    from ganime.data.split import split

    with progress_bar("pictures to part") as report:
        return split(pictures, size, report)


def _open_generator(path, samples, seed, truncation, real=None):
    from ganime.generation.sampling import load_generator
    from ganime.labels import labels_of
    from ganime.metrics.by_label import check_labels
    from ganime.metrics.evaluation import GeneratedPictures

    generator = load_generator(path)
    check_labels(real, labels_of(generator))
    pictures = GeneratedPictures(generator, samples, seed, truncation, like=real)
    digest = hash_file(path)
    return pictures, pictures.size, {"model": str(path), "model_sha256": digest, "truncation": truncation}


def _open_images(images, samples, seed, size):
    from ganime.data.joined import as_pictures

    pictures = as_pictures(images)
    about = {"images": [*images] if len(images) > 1 else images[0], "images_fingerprint": pictures.fingerprint}
    return _choose(pictures, samples, seed), size, about


def _choose(pictures, count, seed):
    """So many of the pictures, at random, if there are more."""
    import numpy as np

    from ganime.data.split import Selection

    if not count or len(pictures) <= count:
        return pictures
    return Selection(pictures, np.sort(np.random.RandomState(seed).choice(len(pictures), count, replace=False)))
