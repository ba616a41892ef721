"""The command that makes faces."""

import math
import re
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

import click

from ganime.commands.outputs import (
    MOST_PIXELS,
    MOST_SIDE,
    check_free,
    check_latents_name,
    check_place,
    free_name,
    output_options,
)
from ganime.commands.tools import faces_options, open_faces, progress_bar
from ganime.errors import InputError

SEEDS, EACH = "0-63", 8  # of each label, where none is named
GRIDS = (".png", ".jpg", ".jpeg", ".webp")
OTHERS = (".gif", ".bmp", ".tif", ".tiff", ".avif", ".npy", ".zip", ".tar", ".gz", ".parquet", ".pdf", ".mp4")


@click.command()
@faces_options(f"{SEEDS}; of a run with labels {EACH} of each")
@output_options("faces.png", "A .png, .jpg or .webp for a grid, .npz for an array, else a folder.", "PATH")
@click.option(
    "--save-latents", "latents_path", type=click.Path(path_type=Path), metavar="FILE.npy", help="Also write the faces' latents."
)
@click.option(
    "--best",
    type=click.IntRange(1, 250_000),
    metavar="COUNT",
    help="Of the seeds, by default four times as many, keep the faces that look most real.",
)
@click.option("--refine", is_flag=True, help="Change broken faces, by small steps in their latents, until they are whole.")
@click.option(
    "--data",
    multiple=True,
    metavar="PICTURES",
    help="For --best and --refine: what the run was trained on, to make its judge with; repeatable.",
)
def generate(output, force, latents_path, best, refine, data, **chosen):
    """Make faces with a trained generator: one grid, an array, or single files in a folder.

    Without --run and --model it is the generator that ships with ganime (checkpoints/anime-face-64.md). The same seed
    gives the same face on every machine, or with --refine on the same one. An .npz has them in the order of the seeds, uint8
    [count, height, width, 3], as programs that score pictures take them; so does `evaluate --images`.

    With --label all faces are there with each label: a grid then has a row for each, files have its name at the end. Without,
    the seeds of a run with labels take them in turn; without --seeds too, the grid has eight faces of each.

    With --best a judge, made of features of real pictures and of the generator's faces, looks at all and keeps those that are
    most like pictures; with labels so many of each that is named. With --refine it changes those faces that have parts which
    pictures have not, no more than it must; what is rare, as glasses, may go, too. Both together take the best first. The
    generator that ships has a judge. For a run --data makes one, in a minute or two, and keeps it beside the run's generator
    for the next time.

    \b
    Examples:
      python cli.py generate --seeds 0-63
      python cli.py generate --best 64
      python cli.py generate --seeds 0-63 --refine --save-latents refined.npy
      python cli.py generate --run faces-default --best 16 --data faces
      python cli.py generate --run faces-default --seeds 7,11,100-199 --output faces-102/
      python cli.py generate --model generator.keras --truncation 0.7
      python cli.py generate --seeds 0-49999 --output faces.npz
      python cli.py generate --run faces-by-hair-default --label blonde,black --seeds 0-7
      python cli.py generate --seeds 7,11 --save-latents two.npy
    """
    import numpy as np

    from ganime.data.names import show
    from ganime.generation.latents import parse_seeds, save_latents
    from ganime.generation.sampling import FEW, paint
    from ganime.generation.selection import AMONG, Judge
    from ganime.pictures import grids

    output = output or free_name("faces.png", force)
    ending = output.suffix.lower()
    grid, array = ending in GRIDS, ending == ".npz"
    check_place("--output", output, folder=not (grid or array))
    if grid or array:
        check_free("--output", output, force)
    if latents_path is not None:
        check_latents_name("--save-latents", latents_path, force)
        if latents_path.resolve() == output.resolve():
            raise InputError("--save-latents and --output are the same")
    if ending in OTHERS and not output.is_dir():
        kinds = f"{', '.join(GRIDS)} for a grid, .npz for an array, or give a folder"
        raise InputError(f"--output {show(output)}: nothing is written as {ending}; take {kinds}")
    if data and not (best or refine):
        raise InputError("--data is for --best and --refine")
    shown = best and best * max(1, len(chosen["labels"]))
    check = partial(_check_grid, output, shown) if grid else None
    if best and chosen["seeds"] is None and not chosen["latents"]:
        chosen["seeds"] = f"0-{AMONG * best - 1}"
    if best or refine:
        chosen["also"] = FEW  # TensorFlow is needed anyway
    generator, points, source, labels, path = open_faces(default_seeds=SEEDS, check=check, each=EACH, **chosen)
    rows = np.arange(len(points)).reshape(len(labels) or 1, -1)  # of latents, one for each label
    every = rows.shape[1]
    if best and every < best:
        raise InputError(f"--best {best}: there are only {every:,} faces to choose from")
    find_judge = cache(lambda: _make_judge(generator, path, data, force) if data else Judge.load(path))
    if best:
        rows = _keep_best(find_judge(), best, rows, generator, points)
        points = points[rows.ravel()]
    if not (grid or array):
        counted = chosen["latents"] or (labels and not chosen["labels"])
        numbers = range(every) if counted else parse_seeds(chosen["seeds"] or SEEDS)
        places = _free_places(output, labels, rows % every, numbers, force)
    if refine:
        judge = find_judge()
        with progress_bar("refined faces") as report:
            points = judge.refine(generator, points, report)
    if grid:
        made = grids.make_grid(paint(generator, points), rows.shape[1] if labels else None)
        grids.save_picture(output, grids.add_names(made, labels) if labels else made)
    elif array:
        from ganime.data.arrays import save_array

        batches = (paint(generator, points[start : start + 64]) for start in range(0, len(points), 64))
        save_array(output, (len(points), *generator.output_shape[1:]), batches)
    else:
        for start in range(0, len(points), 64):
            faces = paint(generator, points[start : start + 64])
            for place, face in zip(places[start:], faces, strict=False):
                grids.save_picture(place, face)
    if latents_path:
        save_latents(latents_path, points)
    of = f" of {every * len(rows):,}" if best else ""
    click.echo(f"{show(output)}: {len(points):,}{of} face{'s' * (len(points) != 1 or bool(of))} of {show(source)}")


def _keep_best(judge, count, rows, generator, points):
    """Of each row of latents' indices those of the best faces."""
    import numpy as np

    with progress_bar("faces") as report:
        kept = []
        for row in rows:
            kept.append(
                row[judge.best(generator, points[row], count, lambda done, _, row=row: report(row[0] + done, rows.size))]
            )
    return np.stack(kept)


def _make_judge(generator, path, data, force):
    """A judge by the pictures that the generator was trained on, which is kept where that can be written."""
    from ganime.commands.evaluate import only_training
    from ganime.data.joined import as_pictures
    from ganime.data.names import show
    from ganime.generation.selection import LEAST, Judge, judge_path

    place = judge_path(path)
    if not force and _has_judge(path):
        raise InputError(f"{show(place)} is there already: leave --data out, or --force to make another judge")
    pictures = as_pictures(data)
    if len(pictures) < LEAST:
        raise InputError(f"--data: {len(pictures):,} pictures are too few for a judge, {LEAST} are needed")
    with progress_bar("faces and pictures for the judge") as report:
        judge = Judge.train(generator, only_training(pictures, generator.output_shape[1]), report)
    try:
        click.echo(f"{show(judge.save(path))}: the judge, for the next time", err=True)
    except OSError as error:
        click.echo(f"{show(place)} cannot be written ({error.strerror}): the judge is not kept", err=True)
    return judge


def _has_judge(path):
    from ganime.generation.selection import Judge

    with suppress(InputError):  # there is none, or none of this state of the generator
        return bool(Judge.load(path))
    return False


def _free_places(folder, labels, rows, numbers, force):
    """The files of faces, which are given for each label by their indices among the numbers; none may be there already."""
    named = zip(_file_names(labels), rows, strict=True)
    places = [folder / f"face-{numbers[index]:06d}{name}.png" for name, row in named for index in row]
    for place in places:
        check_free("--output", place, force)
    return places


def _file_names(labels):
    """Ends of files' names: labels in signs that all systems take, with their numbers where these alone would be the same."""
    names = [re.sub(r"[^\w-]", "_", f"-{label}") for label in labels]
    if len({*map(str.lower, names)}) < len(names):
        names = [f"-{number}{name}" for number, name in enumerate(names)]
    return names or [""]


def _check_grid(output, shown, generator, count):
    """Refuse a grid that is too large to be made in memory, or to be looked at: of all faces or, if given, so many."""
    from ganime.data.names import show
    from ganime.pictures.grids import GAP

    height, width = (side + GAP for side in generator.output_shape[1:3])
    most = min(math.isqrt(MOST_PIXELS // (height * width)), MOST_SIDE // max(height, width)) ** 2
    count = shown or count
    if count > most:
        raise InputError(
            f"--output {show(output)}: {count:,} faces are too many for one grid, {most:,} of this generator's size fit in it; "
            "take fewer, or give a folder"
        )
