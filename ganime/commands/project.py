"""The command that finds the latents of given faces."""

from pathlib import Path

import click

from ganime.commands.outputs import check_latents_name, check_picture_name, free_name, output_options
from ganime.commands.tools import find_model, generator_options, progress_bar, quiet_start
from ganime.errors import InputError


@click.command()
@click.argument("pictures", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PICTURE...")
@generator_options
@click.option("--no-detect", is_flag=True, help="Take the middle of larger pictures instead of looking for a face.")
@click.option("--cascade", type=click.Path(path_type=Path), metavar="FILE", help="As for `data prepare`.")
@output_options("projected.npy", "Where to write the latents.", "FILE.npy")
@click.option("--sheet", type=click.Path(path_type=Path), metavar="FILE", help="The faces side by side.  [default: OUTPUT.png]")
def project(pictures, run_name, model, no_detect, cascade, output, force, sheet):
    """Find the latent of each PICTURE: that whose face is nearest to it.

    Writes the latents, which all commands take with --latents, and a sheet: each picture, beside it what the generator makes
    of it, and how far apart both are (peak signal-to-noise ratio in decibels; more is nearer). In pictures that are larger
    than the generator's the largest face is taken, as `data prepare` finds it. It takes some seconds for a picture.

    \b
    Examples:
      python cli.py project face.png
      python cli.py project photos/*.jpg --run faces-default --output photos.npy
      python cli.py walk --latents photos.npy
    """
    from ganime.data.names import show
    from ganime.generation.latents import save_latents
    from ganime.pictures.grids import add_caption, enlarge, make_grid, save_picture

    output = output or free_name("projected.npy", force, *([] if sheet else [".png"]))
    check_latents_name("--output", output, force)
    if no_detect and cascade:
        raise InputError("--cascade is for finding faces, which --no-detect leaves out")
    sheet = sheet or output.with_suffix(".png")
    if sheet.resolve() in [picture.resolve() for picture in pictures]:
        raise InputError(f"the sheet {show(sheet)} is one of the pictures; give another name with --sheet")
    check_picture_name("--sheet", sheet, force)
    path = find_model(run_name, model)
    for picture in pictures:  # fails before the long part; one at a time is in memory
        _decode(picture)
    with quiet_start():
        from ganime.generation import projection
        from ganime.generation.sampling import load_generator, paint

        generator = load_generator(path)
    faces = _crop(pictures, generator, no_detect, cascade)
    with progress_bar() as report:
        latents = projection.project(generator, faces, report)
    made = paint(generator, latents)
    ratios = projection.peak_signal_to_noise(faces, made)
    pairs = (enlarge([face, other], 2) for face, other in zip(faces, made, strict=True))
    rows = [add_caption(make_grid(pair, 2), f"{ratio:.1f} dB") for pair, ratio in zip(pairs, ratios, strict=True)]
    save_latents(output, latents)
    save_picture(sheet, make_grid(rows, gap=0))
    for picture, ratio in zip(pictures, ratios, strict=True):
        click.echo(f"{ratio:6.1f} dB  {show(picture)}")
    click.echo(f"{show(output)}: {len(latents):,} latent{'s' * (len(latents) != 1)}; look at {show(sheet)}")


def _decode(path):
    from ganime.data.decode import UnreadablePicture, decode_picture, read_picture
    from ganime.data.names import show

    try:
        return decode_picture(read_picture(path))
    except UnreadablePicture as error:
        raise InputError(f"{show(path)}: {show(str(error))}") from None


def _crop(paths, generator, no_detect, cascade):
    """Each picture's face at the generator's size, uint8 [count, size, size, 3]."""
    import numpy as np

    from ganime.data.decode import fit_square
    from ganime.data.detect import FaceDetector, crop_largest_face
    from ganime.data.names import show

    height, size = generator.output_shape[1:3]
    if height != size:
        raise InputError(f"the generator's images are {size}x{height}; pictures are projected to square ones")
    detector, faces = None, []
    for path in paths:
        picture = _decode(path)
        large = min(picture.shape[:2]) > size and not no_detect
        if large and detector is None:
            detector = FaceDetector(cascade)
        face = crop_largest_face(picture, detector, size) if large else fit_square(picture, size)
        if face is None:
            raise InputError(f"no face is found in {show(path)}; --no-detect takes the middle of the pictures")
        faces.append(face)
    return np.stack(faces)
