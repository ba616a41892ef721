"""The command line's `data` group: public sets, preparing, checking and packing pictures."""

import csv
import shlex
from pathlib import Path

import click

from ganime.commands.outputs import check_file, check_outside, check_picture_name, force_option, free_name
from ganime.commands.tools import Number, echo, program, progress_bar, quiet_start
from ganime.data.names import show
from ganime.errors import InputError

LISTED = 10  # lines of each kind that `check` prints

SIZE = click.option("--size", default=64, show_default=True, type=click.IntRange(8, 1024), help="Side in pixels.")


@click.group()
def data():
    """Get, prepare, check and pack pictures to train on."""


@data.command("list", short_help="Show the public sets.")
def list_sets():
    """Show the public data sets that `fit --data` and `data download` know by name."""
    from rich.console import Console
    from rich.table import Table

    from ganime.data.public import PUBLIC_SETS, find

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("name", "pictures", "size", "kaggle.com/datasets/", "on disk"):
        table.add_column(column, no_wrap=column in ("name", "pictures"), overflow="fold")
    for name, public in PUBLIC_SETS.items():
        count = f"{public.pictures:,}" if public.pictures else "unknown"
        size = f"{public.size}, {public.note}" if public.note else public.size
        table.add_row(name, count, size, public.handle, show(find(name) or "no"))
    console = Console(highlight=False, emoji=False)
    console = console if console.is_terminal else Console(highlight=False, emoji=False, width=1000)
    console.print(table)


@data.command(short_help="Download a public set.")
@click.argument("name")
def download(name):
    """Download a public data set into the cache of kagglehub, unless it is there already."""
    from ganime.data.public import download as fetch

    echo(f"{name} is in {show(fetch(name))}")
    echo(f"Train on it with: {program()} fit --data {name}")


@data.command()
@click.argument("source")
@click.argument("target", type=click.Path(path_type=Path))
@SIZE
@click.option("--no-detect", is_flag=True, help="The pictures are faces already: take the middle of each.")
@click.option("--cascade", metavar="FILE", help="Cascade for finding faces.  [default: lbpcascade_animeface, fetched once]")
@click.option("--margin", type=Number(0, 2), help="Added on each side, in sides of the found face.  [default: 0.1]")
@click.option("--min-size", type=click.IntRange(1, 2**16), metavar="PIXELS", help="Least side of a crop.  [default: --size]")
@click.option("--min-sharpness", default=0.35, show_default=True, type=Number(0), help="Least sharpness; 0 keeps all.")
@click.option("--format", "encoding", default="png", show_default=True, type=click.Choice(["png", "jpg"]))
def prepare(source, target, size, no_detect, cascade, margin, min_size, min_sharpness, encoding):
    """Make a folder of faces from a folder of illustrations.

    Finds faces in the pictures in SOURCE (a folder or a public set), crops and resizes them, drops copies, small and blurred
    ones, and writes the others to TARGET with index.csv, which says for each what became of it. SOURCE is not changed. The same
    command goes on after an interruption.

    \b
    Examples:
      python cli.py data prepare illustrations faces
      python cli.py data prepare anime-faces faces --no-detect
    """
    from ganime.data import prepare as preparing
    from ganime.data.detect import MARGIN, FaceDetector
    from ganime.data.listing import CONTACT_SHEET
    from ganime.data.sources import open_listing

    if no_detect and (cascade or margin is not None):
        raise InputError("--cascade and --margin are for finding faces, which --no-detect leaves out")
    listing = open_listing(source, without=target)  # a link in the source may lead there
    with quiet_start():
        detector = None if no_detect else FaceDetector(cascade)
    settings = preparing.Settings(size, MARGIN if margin is None else margin, min_size, min_sharpness, encoding)
    with progress_bar(interrupted="The same command goes on.") as report:
        result = preparing.prepare(listing, target, detector, settings, report)
    for name, count in result.items():
        if count or name in ("pictures", "kept"):
            echo(f"{count:>10,}  {name}")
    echo(f"What became of each: {show(target / 'index.csv')}")
    if result["kept"]:
        echo(f"Look at {show(target / CONTACT_SHEET)}; train with: {program()} fit --data {shlex.quote(show(target))}")


@data.command()
@click.argument("folder")
@click.option(
    "--sheet",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Overview to write.  [default: contact-sheet.png; if that is taken, the next free name]",
)
@click.option("--csv", "table", type=click.Path(path_type=Path), metavar="FILE", help="Write all that was found there.")
@force_option
def check(folder, sheet, table, force):
    """Say what is in a folder of pictures: formats, sizes, unreadable files, copies."""
    from ganime.data.check import check as look_at
    from ganime.data.check import save_contact_sheet
    from ganime.data.listing import CONTACT_SHEET
    from ganime.data.sources import open_listing
    from ganime.files import atomic_write

    listing = open_listing(folder)
    name, folder = folder, listing.path
    named = sheet or Path(CONTACT_SHEET)
    own = named.name == CONTACT_SHEET and folder.resolve() in named.resolve().parents  # the folder's overview, made anew
    sheet = sheet or free_name(CONTACT_SHEET, force or own)
    if not own:
        check_outside(sheet, folder)
    check_picture_name("--sheet", sheet, force or own)
    if table:
        check_outside(table, folder)
        check_file("--csv", table, force)
    with progress_bar() as report:
        findings = look_at(listing, report)
    echo(f"{sum(findings.formats.values()):,} readable pictures in {show(folder)} and below")
    _echo_counts("formats", findings.formats)
    _echo_counts("sizes", {f"{width}x{height}": count for (width, height), count in findings.sizes.items()})
    problems = [(show(path), "unreadable", reason) for path, reason in findings.unreadable.items()]
    for problem, copies in (("exact copy", findings.exact_copies), ("near copy", findings.near_copies)):
        problems += [(show(path), problem, show(original)) for path, original in copies.items()]
    for problem, plural in (("unreadable", "unreadable files"), ("exact copy", "exact copies"), ("near copy", "near copies")):
        lines = [f"  {path}: {detail}" for path, kind, detail in problems if kind == problem]
        more = [f"  and {len(lines) - LISTED:,} more"] if len(lines) > LISTED else []
        for line in (f"{plural}: {len(lines):,}", *lines[:LISTED], *more):
            echo(line)
    if table:
        with atomic_write(table) as part, open(part, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("file", "problem", "detail"), *problems])
    save_contact_sheet(sheet, len(findings.good), lambda i: listing.load(findings.good[i], 64))
    if findings.good:
        echo(f"{show(sheet)} shows some of them.")
    if findings.exact_copies or findings.near_copies:
        side = min(1024, *findings.sizes.most_common(1)[0][0])
        options = f"--no-detect --size {side} --min-size 8 --min-sharpness 0"
        echo(f"Without the copies, all at one size: {program()} data prepare {shlex.quote(show(name))} TARGET {options}")


@data.command(short_help="Decode a folder into one file.")
@click.argument("folder")
@click.argument("file", type=click.Path(path_type=Path))
@SIZE
@force_option
def pack(folder, file, size, force):
    """Decode a folder (or a public set) into one file that trains without decoding.

    `fit --data FILE` gives the same results as with the folder; a run may change from one to the other. The same command goes
    on after an interruption.

    \b
    Examples:
      python cli.py data pack faces faces.npy
      python cli.py fit --data faces.npy
    """
    from ganime.data.packed import PackedPictures
    from ganime.data.packed import pack as pack_pictures
    from ganime.data.sources import open_pictures

    pictures = open_pictures(folder)
    if isinstance(pictures, PackedPictures):
        raise InputError(f"{show(folder)} is packed already")
    with progress_bar(interrupted="The same command goes on.") as report:
        packed = pack_pictures(pictures, file, size, report, force)
    passed_over = f"; in place of {len(packed.unreadable):,} unreadable ones stand others" * bool(packed.unreadable)
    echo(f"{show(file)}: {len(packed):,} pictures of {size}x{size}, {file.stat().st_size / 1e6:,.0f} MB{passed_over}")


def _echo_counts(name, counts):
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    shown = [f"{key} {count:,}" for key, count in ordered[:LISTED]]
    echo(f"{name}: {', '.join(shown) or 'none'}" + f" and {len(ordered) - LISTED:,} more" * (len(ordered) > LISTED))
