"""The command that walks through faces."""

import re

import click

from ganime.commands.outputs import check_file, check_pixels, free_name, output_options
from ganime.commands.tools import Number, faces_options, open_faces, progress_bar, scale_options
from ganime.errors import InputError

FACES = 8  # of a walk, where none are named
MOST_FRAMES = 100_000  # of an animation: more than an hour


class Grid(click.ParamType):
    """Rows and columns, as in 3x3."""

    name = "ROWSxCOLUMNS"

    def convert(self, value, param, context):
        if not (match := re.fullmatch(r"([1-9]|1[0-6])x([1-9]|1[0-6])", value)):
            self.fail(f"{value!r} is not rows x columns, as in 3x3; 16 at most.", param, context)
        return int(match[1]), int(match[2])


@click.command()
@faces_options(f"0-{FACES - 1}, or {FACES} for each walk")
@click.option("--seconds", default=1.0, show_default=True, type=Number(0.02, 60), help="From face to face, on the average.")
@click.option("--fps", default=25.0, show_default=True, type=Number(1, 50), help="Frames per second.")
@click.option("--grid", default="1x1", show_default=True, type=Grid(), help="Several walks side by side, as in 3x3.")
@scale_options
@output_options("walk.gif", "A .gif, .webp or .mp4, or a .png for a film strip.")
def walk(seconds, fps, grid, scale, sharp, output, force, **chosen):
    """Walk through faces in a loop: each turns into the next, and the last into the first.

    All steps look about as large as each other; how long it takes from one face to the next depends on how different they
    are. With --grid the faces are dealt to the walks in their order. With --label each face is there with each label, one
    after the other; without --seeds it is one face.

    \b
    Examples:
      python cli.py walk
      python cli.py walk --seeds 7,11,40-43 --seconds 2 --output walk.mp4
      python cli.py walk --run faces-default --grid 3x3 --scale 2 --truncation 0.7
      python cli.py walk --run faces-by-hair-default --label blonde,black,red
      python cli.py walk --latents some.npy --fps 5 --output strip.png --scale 1
    """
    from ganime.data.names import show
    from ganime.generation.latents import parse_seeds
    from ganime.generation.walks import walk as through
    from ganime.pictures.animation import check_animation, save_frames
    from ganime.pictures.grids import check_sides, enlarge, make_grid, save_picture

    output = output or free_name("walk.gif", force)
    strip = output.suffix.lower() == ".png"
    if not strip:
        check_animation(output)
    check_file("--output", output, force)
    walks, each = grid[0] * grid[1], max(1, round(seconds * fps))
    if chosen["latents"] is None and chosen["seeds"] is not None:  # before the latents are made
        _check_frames(len(parse_seeds(chosen["seeds"])), walks, each)
    default, also = f"0-{FACES * walks - 1}", FACES * walks * each
    several = len(chosen["labels"]) > 1 or any("," in text for text in chosen["labels"])
    if several and chosen["seeds"] is None and chosen["latents"] is None:
        default = f"0-{walks - 1}"  # a face for each walk, from label to label
    generator, points, source, *_ = open_faces(default_seeds=default, also=also, by_face=True, **chosen)
    if len(points) % walks:
        raise InputError(f"{len(points)} faces cannot be dealt to {walks} walks equally")
    count = _check_frames(len(points), walks, each)
    height, width = (scale * side * cells for side, cells in zip(generator.output_shape[1:3], grid, strict=True))
    if strip:
        check_pixels("--output", output, each * width, count // each * height)
    else:
        check_sides(output, width, height)
    loops = [through(generator, part, each) for part in points.reshape(walks, -1, points.shape[1])]
    with progress_bar("frames") as report:

        def frames():
            for done, faces in enumerate(zip(*loops, strict=True), 1):
                yield make_grid(enlarge(faces, scale, sharp), grid[1], gap=0)
                report(done, count)

        if strip:
            save_picture(output, make_grid(list(frames()), each, gap=0))
        else:
            save_frames(output, frames(), count, fps)
    faces = f"{len(points):,} faces of {show(source)}"
    click.echo(f"{show(output)}: {count:,} frames of {width}x{height} through {faces}, {output.stat().st_size / 1e6:.1f} MB")


def _check_frames(faces, walks, each):
    """The number of frames, if it is not absurd."""
    count = faces // walks * each
    if count > MOST_FRAMES:
        fitting = f"{MOST_FRAMES // each * walks:,} faces make no more than {MOST_FRAMES:,}"
        raise InputError(f"{faces:,} faces make {count:,} frames, which are too many; {fitting}")
    return count
