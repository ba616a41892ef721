"""The command line's `data` group: public sets, preparing, checking and packing pictures."""

import csv
import re
import shlex
from pathlib import Path

import click

from ganime.commands.outputs import check_file, check_outside, check_picture_name, force_option, free_name
from ganime.commands.tools import Number, echo, program, progress_bar, quiet_start
from ganime.data.names import show
from ganime.errors import GanimeError, InputError
from ganime.files import atomic_write

LISTED = 10  # lines of each kind that `check` prints

SIZE = click.option("--size", default=64, show_default=True, type=click.IntRange(8, 1024), help="Side in pixels.")


@click.group()
def data():
    """Get, prepare, check and pack pictures to train on."""


@data.command("list", short_help="Show the public sets.")
def list_sets():
    """Show the public data sets that `fit --data` and `data download` know by name.

    Others on Hugging Face are given by address: hf://datasets/USER/NAME.
    """
    from rich.console import Console
    from rich.table import Table

    from ganime.data.public import PUBLIC_SETS, find

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("name", "pictures", "size", "where", "on disk"):
        table.add_column(column, no_wrap=column in ("name", "pictures"), overflow="fold")
    for name, public in PUBLIC_SETS.items():
        count = f"{public.pictures:,}" if public.pictures else "unknown"
        size = f"{public.size}, {public.note}" if public.note else public.size
        table.add_row(name, count, size, f"{public.hub}/datasets/{public.handle}", show(find(name) or "no"))
    console = Console(highlight=False, emoji=False)
    console = console if console.is_terminal else Console(highlight=False, emoji=False, width=1000)
    console.print(table)


@data.command(short_help="Download a public set.")
@click.argument("name")
def download(name):
    """Download a public data set into the cache of its library, unless it is there already.

    NAME is one that `data list` shows, or hf://datasets/USER/NAME for any set on Hugging Face, also with @REVISION.
    """
    from ganime.data.hub_sets import commit_of
    from ganime.data.public import download as fetch

    path = fetch(name)
    echo(f"{name} is in {show(path)}")
    if name.startswith("hf://") and (commit := commit_of(path)):
        echo(f"To get the same pictures elsewhere, name the revision: {name.partition('@')[0]}@{commit}")
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
    """Make a folder of faces from illustrations.

    Finds faces in the pictures in SOURCE (what `fit --data` takes: a folder, a .zip, .tar, .parquet, .npz or .npy file, a
    public set), crops and resizes them, drops copies, small and blurred ones, and writes the others to the folder TARGET with
    index.csv, which says for each what became of it. SOURCE is not changed. The same command goes on after an interruption.

    \b
    Examples:
      python cli.py data prepare illustrations faces
      python cli.py data prepare illustrations.zip faces
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
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option(
    "--sheet",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Overview to write.  [default: contact-sheet.png; if that is taken, the next free name]",
)
@click.option("--csv", "table", type=click.Path(path_type=Path), metavar="FILE", help="Write all that was found there.")
@force_option
def check(sources, sheet, table, force):
    """Say what is in a SOURCE of pictures: formats, sizes, classes, what is left out, unreadable files, copies.

    A SOURCE is all that `fit --data` takes. Of several ones copies are also found from one to the other. Nothing in there is
    changed.

    \b
    Examples:
      python cli.py data check faces
      python cli.py data check faces more-faces.zip --csv found.csv
    """
    from ganime.data.check import Sources, save_contact_sheet
    from ganime.data.check import check as look_at
    from ganime.data.listing import CONTACT_SHEET
    from ganime.data.sources import open_listing

    listings = [open_listing(source) for source in sources]
    named = sheet or Path(CONTACT_SHEET)
    places = [listing.path.resolve() for listing in listings]
    own = named.name == CONTACT_SHEET and any(place in named.resolve().parents for place in places)  # made anew
    sheet = sheet or free_name(CONTACT_SHEET, force or own)
    for place in places:
        if not own:
            _check_beside(sheet, place)
        if table:
            _check_beside(table, place)
    check_picture_name("--sheet", sheet, force or own)
    if table:
        check_file("--csv", table, force)
    pictures = Sources(list(zip(sources, listings, strict=True)))
    with progress_bar() as report:
        findings = look_at(pictures, report)
    for line in _describe(findings, listings):
        echo(line)
    problems = [(show(path), "unreadable", reason) for path, reason in findings.unreadable.items()]
    for problem, copies in (("exact copy", findings.exact_copies), ("near copy", findings.near_copies)):
        problems += [(show(path), problem, show(original)) for path, original in copies.items()]
    for line in _describe_problems(problems):
        echo(line)
    if table:
        with atomic_write(table) as part, open(part, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("file", "problem", "detail"), *problems])
    if not findings.good:
        raise GanimeError(f"there is no usable picture in {', '.join(listing.where for listing in listings)}")
    save_contact_sheet(sheet, len(findings.good), lambda i: pictures.load(findings.good[i], 64))
    echo(f"{show(sheet)} shows some of them.")
    if len(sources) == 1 and (findings.exact_copies or findings.near_copies):
        side = min(1024, *findings.sizes.most_common(1)[0][0])
        options = f"--no-detect --size {side} --min-size 8 --min-sharpness 0"
        echo(f"Without the copies, all at one size: {program()} data prepare {shlex.quote(show(sources[0]))} TARGET {options}")


@data.command(short_help="Decode pictures into one file.")
@click.argument("source")
@click.argument("file", type=click.Path(path_type=Path))
@SIZE
@force_option
def pack(source, file, size, force):
    """Decode the pictures of a SOURCE into one FILE that trains without decoding.

    SOURCE is what `fit --data` takes: a folder, a .zip, .tar, .parquet, .npz or .npy file, a public set. `fit --data FILE`
    gives the same results as with it; a run may change from one to the other. The same command goes on after an interruption.

    \b
    Examples:
      python cli.py data pack faces faces.npy
      python cli.py data pack faces.zip faces.npy --size 128
      python cli.py fit --data faces.npy
    """
    from ganime.data.packed import PackedPictures
    from ganime.data.packed import pack as pack_pictures
    from ganime.data.sources import open_pictures

    pictures = open_pictures(source)
    if isinstance(pictures, PackedPictures):
        raise InputError(f"{show(source)} is packed already")
    with progress_bar(interrupted="The same command goes on.") as report:
        packed = pack_pictures(pictures, file, size, report, force)
    passed_over = f"; in place of {len(packed.unreadable):,} unreadable ones stand others" * bool(packed.unreadable)
    echo(f"{show(file)}: {len(packed):,} pictures of {size}x{size}, {file.stat().st_size / 1e6:,.0f} MB{passed_over}")


def _check_beside(path, source):
    """Refuse to write a file into a source of pictures, or in its place."""
    check_outside(path, source)
    if path.resolve() == source or path.resolve().match(str(source)):  # which may be a pattern
        raise InputError(f"{show(path)} is what is looked at; it is not overwritten")


def _describe(findings, listings):
    """Lines about what there is, and what is left out."""
    yield f"{findings.formats.total():,} readable pictures in {', '.join(listing.where for listing in listings)}"
    yield f"formats: {_count_all(findings.formats)}"
    yield f"sizes: {_count_all({f'{width}x{height}': count for (width, height), count in findings.sizes.items()})}"
    if findings.several:
        yield f"files that hold several pictures, of which only the first is used: {_count_all(findings.several)}"
    if findings.splits:
        yield f"splits: {_count_all(findings.splits)}; all are trained on"
    if len(findings.classes) > 1:
        without = findings.formats.total() - findings.classes.total()
        more = f"; {without:,} pictures are of none" * bool(without)
        yield f"classes: {len(findings.classes):,} ({_count_all(findings.classes)}){more}"
    for listing in listings:
        if left_out := listing.describe_left_out(brief=False):
            yield f"{show(listing.path)}: {left_out}" if len(listings) > 1 else left_out


def _describe_problems(problems):
    """Lines about unreadable files and copies; of many unreadable ones how many there are for each reason."""
    for problem, plural in (("unreadable", "unreadable files"), ("exact copy", "exact copies"), ("near copy", "near copies")):
        found = [(path, detail) for path, kind, detail in problems if kind == problem]
        yield f"{plural}: {len(found):,}"
        lines = [f"  {path}: {detail}" for path, detail in found]
        if problem == "unreadable" and len(found) > LISTED:
            alike = {}
            for path, detail in found:  # what differs in numbers only is one reason
                alike.setdefault((Path(path).suffix.lower(), re.sub(r"\d[\d,.]*", "N", detail)), []).append((path, detail))
            groups = sorted(alike.items(), key=lambda item: -len(item[1]))
            lines = [
                f"  {len(files):,} {ending or 'without ending'}, as {': '.join(files[0])}" for (ending, _), files in groups
            ]
        yield from lines[:LISTED]
        if len(lines) > LISTED:
            yield f"  and {len(lines) - LISTED:,} more"


def _count_all(counts):
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    shown = [f"{show(key)} {count:,}" for key, count in ordered[:LISTED]]
    return (", ".join(shown) or "none") + f" and {len(ordered) - LISTED:,} more" * (len(ordered) > LISTED)
