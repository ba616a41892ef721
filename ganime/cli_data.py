"""The command line's `data` group: public sets, preparing, checking and packing pictures."""

import csv
import time
from contextlib import contextmanager
from pathlib import Path

import click

from ganime.errors import InputError

LISTED = 10  # lines of each kind that `check` prints

SIZE = click.option("--size", default=64, show_default=True, type=click.IntRange(8, 1024), help="Side in pixels.")


@click.group()
def data():
    """Get, prepare, check and pack pictures to train on."""


@data.command("list")
def list_sets():
    """Show the public data sets that `fit --data` and `data download` know by name."""
    from rich.console import Console
    from rich.table import Table

    from ganime.data.public import PUBLIC_SETS, find

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("name", "pictures", "size", "kaggle.com/datasets/…", "on disk"):
        table.add_column(column, no_wrap=column in ("name", "pictures"), overflow="fold")
    for name, public in PUBLIC_SETS.items():
        count = f"{public.pictures:,}" if public.pictures else "unknown"
        size = f"{public.size}, {public.note}" if public.note else public.size
        table.add_row(name, count, size, public.handle, str(find(name) or "no"))
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(highlight=False, width=1000)
    console.print(table)


@data.command()
@click.argument("name")
def download(name):
    """Download a public data set into the cache of kagglehub, unless it is there already."""
    from ganime.data.public import download as fetch

    click.echo(f"{name} is in {fetch(name)}\nTrain on it with: fit --data {name}")


@data.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@SIZE
@click.option("--no-detect", is_flag=True, help="The pictures are faces already: take the middle of each.")
@click.option("--cascade", metavar="FILE", help="Cascade for finding faces.  [default: lbpcascade_animeface, fetched once]")
@click.option(
    "--margin", default=0.1, show_default=True, type=click.FloatRange(0, 2), help="Added on each side, in sides of the face."
)
@click.option("--min-size", type=click.IntRange(1), metavar="PIXELS", help="Least side of a crop.  [default: --size]")
@click.option(
    "--min-sharpness", default=0.35, show_default=True, type=click.FloatRange(0), help="Least sharpness; 0 keeps all."
)
@click.option("--format", "encoding", default="png", show_default=True, type=click.Choice(["png", "jpg"]))
def prepare(source, target, size, no_detect, cascade, margin, min_size, min_sharpness, encoding):
    """Make a folder of faces from a folder of illustrations.

    Finds faces in the pictures in SOURCE and below, crops and resizes them, drops copies, small and blurred ones, and writes
    the others to TARGET with index.csv, which says for each what became of it. SOURCE is not changed. The same command goes on
    after an interruption.

    \b
    Examples:
      python cli.py data prepare illustrations faces
      python cli.py data prepare downloaded-faces faces --no-detect
    """
    from ganime.cli import quiet_start
    from ganime.data import prepare as preparing
    from ganime.data.faces import FaceDetector

    if no_detect and cascade:
        raise InputError("--cascade is for finding faces, which --no-detect leaves out")
    with quiet_start():
        detector = None if no_detect else FaceDetector(cascade)
    settings = preparing.Settings(size, margin, min_size, min_sharpness, encoding)
    with _bar("pictures") as report:
        result = preparing.prepare(source, target, detector, settings, report)
    for name, count in result.items():
        if count or name in ("pictures", "kept"):
            click.echo(f"{count:>10,}  {name}")
    click.echo(f"Look at {target / preparing.CONTACT_SHEET} and {target / 'index.csv'}; train with: fit --data {target}")


@data.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--sheet", default="contact-sheet.png", show_default=True, type=click.Path(path_type=Path), help="Overview to write."
)
@click.option("--csv", "table", type=click.Path(path_type=Path), metavar="FILE", help="Write all that was found there.")
def check(folder, sheet, table):
    """Say what is in a folder of pictures: formats, sizes, unreadable files, copies."""
    from ganime.data.check import check as look_at
    from ganime.data.folder import save_contact_sheet, show

    with _bar("pictures") as report:
        findings = look_at(folder, report)
    readable = sum(findings.formats.values())
    click.echo(f"{readable:,} readable pictures in {show(folder)} and below")
    for name, counts in (("formats", findings.formats), ("sizes", findings.sizes)):
        common = [f"{'x'.join(map(str, key)) if name == 'sizes' else key} {n:,}" for key, n in counts.most_common(LISTED)]
        more = len(counts) - len(common)
        click.echo(f"{name}: {', '.join(common) or 'none'}" + f" and {more:,} more" * bool(more))
    problems = {"unreadable": findings.unreadable, "exact copy": findings.exact_copies, "near copy": findings.near_copies}
    for (name, found), plural in zip(problems.items(), ("unreadable files", "exact copies", "near copies"), strict=True):
        click.echo(f"{plural}: {len(found):,}")
        for path, detail in list(found.items())[:LISTED]:
            click.echo(f"  {show(path)}: {detail if name == 'unreadable' else show(detail)}")
        if len(found) > LISTED:
            click.echo(f"  and {len(found) - LISTED:,} more")
    if table:
        with open(table, "w", newline="", encoding="utf-8") as file:
            rows = [(show(path), name, detail) for name, found in problems.items() for path, detail in found.items()]
            csv.writer(file).writerows([("file", "problem", "detail"), *rows])
    save_contact_sheet(sheet, [folder / path for path in findings.good])
    if findings.good:
        click.echo(f"{sheet} shows some of them.")
    if findings.exact_copies or findings.near_copies:
        click.echo(f"A folder without the copies: data prepare {show(folder)} TARGET --no-detect")


@data.command()
@click.argument("folder")
@click.argument("file", type=click.Path(path_type=Path))
@SIZE
def pack(folder, file, size):
    """Decode a folder (or a public set) into one file that trains without decoding.

    `fit --data FILE` gives the same results as with the folder; a run may change from one to the other. The same command goes
    on after an interruption.

    \b
    Examples:
      python cli.py data pack faces faces.npy
      python cli.py fit --data faces.npy
    """
    from ganime.data.folder import PictureFolder, show
    from ganime.data.packed import pack as pack_pictures
    from ganime.data.sources import open_pictures

    pictures = open_pictures(folder)
    if not isinstance(pictures, PictureFolder):
        raise InputError(f"{show(folder)} is packed already")
    with _bar("pictures") as report:
        packed = pack_pictures(pictures, file, size, report)
    passed_over = f"; in place of {len(packed.unreadable):,} unreadable ones stand others" * bool(packed.unreadable)
    click.echo(f"{file}: {len(packed):,} pictures of {size}x{size}, {file.stat().st_size / 1e6:,.0f} MB{passed_over}")


@contextmanager
def _bar(what):
    """A function of the numbers done and to do: a bar with the time left, or a line a minute where there is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, highlight=False)
    columns = (TextColumn(what), MofNCompleteColumn(), BarColumn(bar_width=None), TimeRemainingColumn())
    printed, first = time.monotonic(), None

    def report(done, total):
        nonlocal printed, first
        progress.update(task, completed=done, total=total)
        now = time.monotonic()
        first = first or (now, done)
        if not console.is_terminal and now - printed > 60:
            printed = now
            left = (now - first[0]) / (done - first[1]) * (total - done) / 60
            console.print(f"{done:,} of {total:,} {what}, about {left:,.0f} minutes left", soft_wrap=True)

    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield report
