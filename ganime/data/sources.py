"""What a person may give as `--data`."""

from pathlib import Path

from ganime.data.folder import PictureFolder, show
from ganime.data.packed import PackedPictures
from ganime.data.public import PUBLIC_SETS, download
from ganime.errors import InputError


def open_pictures(data: str, strict: bool = False) -> PictureFolder | PackedPictures:
    """Pictures of a folder, of a file made by `pack`, or of a public data set, which is downloaded if it is not there yet.

    Args:
        data: A path, or a name from `PUBLIC_SETS`.
        strict: Whether an unreadable picture is an error.

    Raises:
        InputError: If it is none of them, or nothing in it can be used.
        GanimeError: If the data set cannot be downloaded.
    """
    path = Path(data)
    if path.is_dir():
        return PictureFolder(path, strict)
    if path.exists():
        return PackedPictures(path, strict)
    if data in PUBLIC_SETS:
        pictures = PictureFolder(download(data), strict, PUBLIC_SETS[data].subfolders)
        pictures.name = data
        return pictures
    raise InputError(f"{show(data)} is not a folder of pictures, a file made by `data pack` or one of {', '.join(PUBLIC_SETS)}")
