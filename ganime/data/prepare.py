"""From illustrations to a folder of faces: find, crop, resize, and drop what is no use (no TensorFlow)."""

import csv
import hashlib
import io
import json
import logging
import re
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from ganime.data.check import save_contact_sheet
from ganime.data.copies import NearCopies, perceptual_hash
from ganime.data.decode import UnreadablePicture, fit_square, load_picture
from ganime.data.detect import MARGIN, FaceDetector, find_crops
from ganime.data.listing import CONTACT_SHEET, Listing
from ganime.data.names import show
from ganime.data.parallel import in_order
from ganime.errors import GanimeError, InputError
from ganime.files import atomic_write, exclusive, remove_parts
from ganime.run import differences

COLUMNS = ("source", "x", "y", "side", "width", "height", "sharpness", "file", "dropped", "detail", "sha256", "hash")
CHECKSUM = "crc32"  # the last column: of the line before it
DROPPED = ("unreadable", "exact copy", "no face", "too small", "blurred", "near copy")
ENCODINGS = {"png": {"format": "PNG"}, "jpg": {"format": "JPEG", "quality": 95, "subsampling": 0}}

log = logging.getLogger("ganime")


@dataclass(frozen=True)
class Settings:
    """How faces are chosen and written.

    Attributes:
        size: Side of the written pictures in pixels.
        margin: What is added on each side of the square that the detector finds, as a share of its side.
        min_size: Least side of a crop, before it is resized, in pixels; `size` if None, so that nothing is enlarged.
        min_sharpness: Least `sharpness`. At 0.35 one in a thousand of faces taken for sharp is dropped, and nine in ten of
            the same faces blurred by a Gaussian of one pixel at 64x64.
        encoding: "png" or "jpg".
    """

    size: int = 64
    margin: float = MARGIN
    min_size: int | None = None
    min_sharpness: float = 0.35
    encoding: str = "png"

    @property
    def least_side(self) -> int:
        """`min_size`, or what it stands for."""
        return self.min_size or self.size


@dataclass
class _Face:
    box: tuple[int, int, int]
    sharpness: float
    hash: np.ndarray
    encoded: bytes


@dataclass
class _Source:
    path: str
    problem: str = ""
    sha256: str = ""
    size: tuple[int, int] | tuple[str, str] = ("", "")
    faces: list[_Face] = field(default_factory=list)


def prepare(
    source: Listing,
    target: Path,
    detector: FaceDetector | None,
    settings: Settings = Settings(),
    report: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, int]:
    """Crop the faces of all pictures of a source into a folder, on all cores.

    The largest files come first, so that of several copies the best is kept. `target` gets the faces, `index.csv` with a line
    for each of them and for each picture without one, a contact sheet, and `prepare.json`. Killed and called again it goes on
    where it was, and ends with the same bytes; pictures that were added to `source` are taken in.

    Args:
        source: The pictures; nothing there is changed.
        target: Folder to make, or one that was made with the same source and settings.
        detector: Finds the faces; None if each picture is a face already, and its middle is taken.
        settings: What to keep and how to write it.
        report: Called with the numbers of pictures done and to do.

    Returns:
        The numbers of `pictures`, of `kept` faces, and of what was dropped for each reason in `DROPPED`.

    Raises:
        InputError: If `source` has no pictures, or `target` holds something else.
        GanimeError: If another process writes to `target`, or it cannot be written.
    """
    about = {"source": show(source.path.resolve()), "cascade": detector and detector.sha256, **vars(settings)}
    about["min_size"] = settings.least_side
    before = _check_target(source.path.resolve(), target.resolve(), about)
    left_out = source.describe_left_out(brief=len(source) > 0)
    if not len(source):
        raise InputError(f"there are no pictures in {show(source.path)}{f'; {left_out}' * bool(left_out)}")
    if left_out:
        log.warning("%s: %s", show(source.path), left_out)
    try:
        with exclusive(target / ".lock", f"{show(target)} is being written by another process"):
            remove_parts(target)
            return _prepare(source, target, detector, settings, about, "result" in before, report)
    except OSError as error:
        raise GanimeError(f"{show(target)} cannot be written ({error}); the same command goes on where it was") from error


def _prepare(source, target, detector, settings, about, finished, report):
    if not finished:  # without this file the folder is nobody's
        _write_json(target / "prepare.json", about)
    index = _Index(target, settings, finished)
    _write_json(target / "prepare.json", about)
    waiting = [i for i in range(len(source)) if show(source.name_of(i)) not in index.sources]
    waiting.sort(key=lambda i: (-source.size_of(i), source.name_of(i)))
    before = len(source) - len(waiting)
    looked_at = in_order(lambda i: _look_at(source, i, detector, settings), waiting)
    try:
        for done, found in enumerate(looked_at, before + 1):
            index.add(found)
            report(done, len(source))
    finally:
        looked_at.close()
        index.close()
    index.remove_what_is_not_kept()
    summary = {"pictures": len(index.sources), **{reason: index.counts[reason] for reason in ("kept", *DROPPED)}}
    _write_json(target / "prepare.json", {**about, "result": summary})
    save_contact_sheet(target / CONTACT_SHEET, len(index.kept), lambda i: load_picture(target / index.kept[i], 64))
    return summary


def sharpness(picture: np.ndarray) -> float:
    """Strength of a picture's edges, at 64x64 at most: deviation of its grey values' Laplacian over the values' own."""
    small = fit_square(picture, min(64, *picture.shape[:2]))
    grey = np.asarray(Image.fromarray(small).convert("L"), np.float32)
    middle = grey[1:-1, 1:-1]
    laplacian = grey[1:-1, :-2] + grey[1:-1, 2:] + grey[:-2, 1:-1] + grey[2:, 1:-1] - 4 * middle
    return float(laplacian.std() / max(grey.std(), 1.0))


def _check_target(source, target, about):
    """What `prepare.json` says of an earlier call; empty if there was none."""
    if source == target or source in target.parents or (target in source.parents and source.is_dir()):
        raise InputError(f"{show(target)} and {show(source)} must not lie within each other")
    path = target / "prepare.json"
    if path.exists():
        try:
            before = dict(json.loads(path.read_text()))
        except (ValueError, TypeError):
            raise InputError(f"{show(path)} is damaged; delete {show(target)} to begin again") from None
        if differing := differences({**before, "result": None}, {**about, "result": None}):
            raise InputError(f"{show(target)} was prepared differently: {differing}; choose another folder")
        return before
    if target.exists() and (not target.is_dir() or any(not path.name.startswith(".") for path in target.iterdir())):
        raise InputError(f"{show(target)} is not empty and was not made by `data prepare`; choose another folder")
    return {}


def _look_at(source, index, detector, settings):
    """Everything about one picture that does not depend on the others."""
    path = source.name_of(index)
    try:
        data = source.read(index)
        picture = source.decode(data)
    except UnreadablePicture as error:
        return _Source(path, str(error))
    boxes = find_crops(picture, detector, settings.least_side, settings.margin)
    faces = [_cut(picture, box, settings) for box in boxes]
    return _Source(path, "", hashlib.sha256(data).hexdigest(), picture.shape[1::-1], faces)


def _cut(picture, box, settings):
    left, top, side = box
    face = fit_square(picture[top : top + side, left : left + side], settings.size)
    file = io.BytesIO()
    Image.fromarray(face).save(file, **ENCODINGS[settings.encoding])
    return _Face(box, sharpness(face), perceptual_hash(face), file.getvalue())


class _Index:
    """`index.csv` and the faces written so far. A picture's lines are written after its faces; the last picture's lines may
    be incomplete after a kill, so that picture is taken anew."""

    def __init__(self, target, settings, finished):
        self.target, self.settings = target, settings
        self.sources, self.kept, self.counts = set(), [], Counter()
        self._exact, self._near = {}, NearCopies()
        path = target / "index.csv"
        content, header = path.read_bytes() if path.exists() else b"", f"{','.join((*COLUMNS, CHECKSUM))}\n".encode()
        lines = content[: content.rfind(b"\n") + 1].splitlines(keepends=True)
        self._sealed = header.startswith(content[: len(header)])
        try:
            if not self._sealed:
                if not lines or lines[0] != f"{','.join(COLUMNS)}\n".encode():
                    raise ValueError("another header")
                log.warning("%s is of an earlier build, and its lines are not verified", show(path))
            rows = [self._read(line.decode()) for line in lines[1:]]
            last = rows[-1]["source"] if rows and not finished else None
            while rows and rows[-1]["source"] == last:
                rows.pop()
            for row in rows:
                self._count(row)
        except (ValueError, csv.Error):
            raise InputError(f"{show(path)} is damaged; delete {show(target)} to begin again") from None
        self._file = open(path, "ab")  # noqa: SIM115 (open as long as the index is)
        self._file.truncate(sum(map(len, lines[: len(rows) + 1])))
        if not lines:
            self._file.write(header)

    def add(self, source):
        """Decide about a picture's faces, write those that are kept, and note all."""
        common = {"source": show(source.path), "sha256": source.sha256, "width": source.size[0], "height": source.size[1]}
        if source.problem:
            rows = [{**common, "dropped": "unreadable", "detail": source.problem}]
        elif source.sha256 in self._exact:
            rows = [{**common, "dropped": "exact copy", "detail": self._exact[source.sha256]}]
        elif not source.faces:
            rows = [{**common, "dropped": "no face"}]
        else:
            rows = (self._judge(common, number, face) for number, face in enumerate(source.faces))
        lines = []
        for row in rows:
            self._count(row)
            lines.append([row.get(column, "") for column in COLUMNS])
        self._write(lines)

    def close(self):
        self._file.close()

    def remove_what_is_not_kept(self):
        """A face that was written just before a kill may not be wanted any more, if the source has changed since."""
        kept = set(self.kept)
        for path in self.target.iterdir():
            if re.fullmatch(rf"[0-9a-f]{{16}}-\d+\.{self.settings.encoding}", path.name) and path.name not in kept:
                path.unlink()

    def _judge(self, common, number, face):
        left, top, side = face.box
        measured = {"sharpness": f"{face.sharpness:.3f}", "hash": face.hash.tobytes().hex()}
        row = {**common, "x": left, "y": top, "side": side, **measured}
        if side < self.settings.least_side:
            return {**row, "dropped": "too small"}
        if face.sharpness < self.settings.min_sharpness:
            return {**row, "dropped": "blurred"}
        if copied := self._near.find(face.hash):
            return {**row, "dropped": "near copy", "detail": copied}
        name = f"{common['sha256'][:16]}-{number}.{self.settings.encoding}"
        (self.target / name).write_bytes(face.encoded)
        return {**row, "file": name}

    def _count(self, row):
        dropped = row.get("dropped")
        self.sources.add(row["source"])
        self.counts[dropped or "kept"] += 1
        if row["sha256"] and dropped != "exact copy":
            self._exact[row["sha256"]] = row["source"]
        if not dropped:
            self.kept.append(row["file"])
            self._near.add(row["file"], np.frombuffer(bytes.fromhex(row["hash"]), np.uint64))

    def _read(self, line):
        if self._sealed:
            line, _, checksum = line.rstrip("\n").rpartition(",")
            if checksum != _checksum(line):
                raise ValueError("another checksum")
        (values,) = csv.reader([line])
        row = dict(zip(COLUMNS, values, strict=True))
        if row["file"] and not re.fullmatch(rf"{row['sha256'][:16]}-\d+\.{self.settings.encoding}", row["file"]):
            raise ValueError("a name that no face gets")
        return row

    def _write(self, rows):
        for row in rows:
            text = io.StringIO()
            csv.writer(text, lineterminator="").writerow(row)
            line = text.getvalue()
            self._file.write(f"{line},{_checksum(line)}\n".encode() if self._sealed else f"{line}\n".encode())
        self._file.flush()


def _checksum(line):
    return f"{zlib.crc32(line.encode()):08x}"


def _write_json(path, content):
    with atomic_write(path) as part:
        part.write_text(json.dumps(content, indent=2) + "\n")
