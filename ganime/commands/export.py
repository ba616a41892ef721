"""The command that writes a generator in another format."""

from pathlib import Path

import click

from ganime.commands.outputs import check_free, check_place, force_option, free_name
from ganime.commands.tools import find_model, generator_options, quiet_start
from ganime.errors import InputError

OUTPUTS = {"onnx": "generator.onnx", "litert": "generator.tflite", "saved-model": "generator-saved-model", "web": "page"}


@click.command()
@click.option("--format", "kind", required=True, type=click.Choice([*OUTPUTS]), help="Where it is to run.")
@generator_options
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help=f"A file or, for saved-model and web, a folder.  [default: {', '.join(OUTPUTS.values())}; if that is taken, the next "
    "free name]",
)
@force_option
@click.option(
    "--weights",
    type=click.Choice(["float32", "float16", "int8"]),
    help="Smaller files that compute in float32 all the same: onnx and web have all, litert has float16.  "
    "[default: float32; web: float16]",
)
@click.option("--single-file", is_flag=True, help="web: one HTML file that works from the disk.  [default output: page.html]")
@click.option("--license", "license_name", metavar="SPDX", help="Of the generator, for the file's metadata, as in CC-BY-4.0.")
def export(kind, run_name, model, output, force, weights, single_file, license_name):
    """Write a generator for other programs, and prove what was written.

    The file is run in its own runtime before it takes its name; nothing is left behind if its faces differ by more than 1e-4,
    in [-1, 1], from those of Keras or, for smaller weights, of the same weights in NumPy. How far they are from the float32
    faces is printed. Inputs are called `latents` and outputs `images`.

    \b
    onnx         one file, for onnxruntime and most others (pip install onnx onnxruntime)
    litert       one file, for telephones and small computers (pip install ai-edge-litert)
    saved-model  a folder, for TensorFlow 2.16 and newer, and TensorFlow Serving
    web          a page in which the visitor's browser draws the faces (pip install wasmtime)

    \b
    Examples:
      python cli.py export --format onnx --output faces.onnx
      python cli.py export --format web --run faces-default --output site
      python cli.py export --format web --single-file --output faces.html
    """
    from ganime.data.names import show
    from ganime.exporting.card import check_license

    if single_file and kind != "web":
        raise InputError(f"--single-file is for --format web, not for {kind}")
    output = output or free_name("page.html" if single_file else OUTPUTS[kind], force)
    if single_file and output.suffix.lower() != ".html":
        raise InputError(f"--output {show(output)}: the name of a page in a single file must end in .html")
    check_place("--output", output, folder=kind in ("saved-model", "web") and output.suffix.lower() != ".html")
    check_free("--output", output, force)
    if license_name is not None:
        check_license(license_name)
    path = find_model(run_name, model)
    with quiet_start():
        from ganime.exporting.export import FACES
        from ganime.exporting.export import export as write

        written = write(path, kind, output, weights, license_name)
    weights = weights or ("float16" if kind == "web" else "float32")
    note = "1e-4 is allowed" if weights == "float32" else f"weights of {weights}"
    click.echo(
        f"{show(written.path)}: {written.size / 1e6:.1f} MB; its {FACES} faces, drawn by its own runtime, differ from those of "
        f"Keras by {written.difference:.1g} at most ({note})"
    )
