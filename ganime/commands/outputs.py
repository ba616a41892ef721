"""Where commands write: no earlier file is overwritten without `--force`, and what cannot be written is refused before the
work is done in vain."""

import itertools
import os
from pathlib import Path

import click

from ganime.data.names import show
from ganime.errors import InputError

MOST_PIXELS, MOST_SIDE = 2**27, 2**16 - 1  # of a picture; it is in memory as a whole

force_option = click.option("--force", is_flag=True, help="Overwrite files that are there already.")


def output_options(default, about="", metavar="FILE"):
    """`--output`, None where it is not given, and `--force`, for `free_name` and the checks below."""
    about = f"{about}  [default: {default}; if that is taken, the next free name]".strip()
    output = click.option("--output", type=click.Path(path_type=Path), metavar=metavar, help=about)
    return lambda command: output(force_option(command))


def free_name(default, force, *suffixes):
    """The name that a command gives to what it writes where the user gives none: in turn faces.png, faces-2.png, ...

    Args:
        default: The first one.
        force: Whether that is taken although something is there.
        suffixes: Of files beside it that are written too, and must not be there either.
    """
    path = Path(default)
    names = itertools.chain([path], (path.with_stem(f"{path.stem}-{number}") for number in itertools.count(2)))
    endings = (path.suffix, *suffixes)
    return next(name for name in names if force or not any(os.path.lexists(name.with_suffix(end)) for end in endings))


def check_free(option, path, force):
    """Refuse to overwrite what is there, unless it is an empty folder."""
    if not force and os.path.lexists(path) and not (path.is_dir() and not any(path.iterdir())):
        raise InputError(f"{option} {show(path)} is there already; give another {option}, or --force to overwrite it")


def check_place(option, path, folder=False):
    """Refuse a place where no file, or no folder, can be, or may be written."""
    if path.exists() and path.is_dir() != folder:
        raise InputError(f"{option} {show(path)} is a {'file' if folder else 'folder'}")
    if above := next((parent for parent in path.parents if parent.exists() and not parent.is_dir()), None):
        raise InputError(f"{option} {show(path)}: {show(above)} is a file, not a folder")
    inside = next((place for place in (path, *path.parents) if place.is_dir()), None)
    if inside and not os.access(inside, os.W_OK | os.X_OK):
        raise InputError(f"{option} {show(path)}: nothing may be written in {show(inside)}; give another {option}")


def check_file(option, path, force):
    """Refuse a place where no file can be, or one is already."""
    check_place(option, path)
    check_free(option, path, force)


def check_picture_name(option, path, force):
    """Refuse a name that does not say in what format a picture is to be written, and what `check_file` refuses."""
    from ganime.data.decode import SUFFIXES

    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{option} {show(path)}: the name must end like a picture's, as in picture.png")
    check_file(option, path, force)


def check_latents_name(option, path, force):
    """Refuse a name that is no file of latents', and what `check_file` refuses."""
    if path.suffix.lower() != ".npy":
        raise InputError(f"{option} {show(path)}: the name must end in .npy")
    check_file(option, path, force)


def check_outside(path, folder):
    """Refuse to write a file into a folder of pictures."""
    if folder.resolve() in path.resolve().parents:
        raise InputError(f"{show(path)} lies in the folder of pictures; nothing in there is changed")


def check_pixels(option, path, width, height):
    """Refuse a picture that is too large to be made in memory, or to be looked at."""
    if width * height > MOST_PIXELS or max(width, height) > MOST_SIDE:
        raise InputError(
            f"{option} {show(path)}: {width:,}x{height:,} pixels are too many for a picture; take fewer or smaller faces"
        )
