"""Public data sets of anime faces, fetched with the optional library kagglehub (no TensorFlow)."""

import os
from dataclasses import dataclass
from pathlib import Path

from ganime.errors import GanimeError, InputError


@dataclass(frozen=True)
class PublicSet:
    """A data set that everybody may download.

    Attributes:
        name: What it is called here.
        handle: What it is called on Kaggle: owner/dataset.
        pictures: How many there are to train on; None if that is not known.
        size: Width and height of the pictures in words.
        subfolders: The folders within it that hold these pictures; empty if all of it does.
        note: What else to know before training on it.
    """

    name: str
    handle: str
    pictures: int | None
    size: str
    subfolders: tuple[str, ...] = ()
    note: str = ""

    @property
    def url(self) -> str:
        """The page that describes it and has a button to download it."""
        return f"https://www.kaggle.com/datasets/{self.handle}"


PUBLIC_SETS: dict[str, PublicSet] = {
    public.name: public
    for public in (
        PublicSet("anime-faces", "soumikrakshit/anime-faces", 21_551, "64x64", note="4,522 of them are exact copies"),
        PublicSet("animefacedataset", "splcher/animefacedataset", 63_565, "about 90x90", note="sizes vary"),
        PublicSet("animecharacterfaces", "aadilmalik94/animecharacterfaces", None, "unknown"),
        PublicSet("selfie2anime", "arnaud58/selfie2anime", 3_500, "256x256", ("trainB", "testB"), "only its anime half"),
    )
}


def find(name: str) -> Path | None:
    """Where the newest complete download of a public data set lies; the network is not asked.

    Returns:
        The folder of the highest version in the cache of kagglehub that is there in full, or None.

    Raises:
        InputError: If there is no public data set of that name.
    """
    folder = _cached(_get(name))
    # kagglehub writes the marker last: a folder without one is a download that was broken off.
    markers = [path for path in folder.glob("*.complete") if path.stem.isdecimal()]
    versions = [int(path.stem) for path in markers if (folder / "versions" / path.stem).is_dir()]
    return folder / "versions" / str(max(versions)) if versions else None


def download(name: str) -> Path:
    """A public data set on disk: what `find` gives, else it is downloaded into the cache of kagglehub.

    Returns:
        The folder it lies in. Only its `subfolders`, if it has any, hold pictures to train on.

    Raises:
        InputError: If there is no public data set of that name.
        GanimeError: If kagglehub is not installed, or the download fails.
        OSError: If the disk fails or is full.
    """
    public = _get(name)
    if (found := find(name)) is not None:
        return found
    try:
        import kagglehub
        from requests import ConnectionError, RequestException
    except ImportError as error:
        raise GanimeError(f"{name} cannot be downloaded without kagglehub; install it with: pip install kagglehub") from error
    try:
        return Path(kagglehub.dataset_download(public.handle))
    except ConnectionError as error:
        raise _failure(public, "no connection to Kaggle") from error
    except RequestException as error:  # an OSError too; kagglehub keeps what has arrived and goes on from there next time
        raise _failure(public, error) from error
    except OSError:  # the disk: downloading by hand would not help
        raise
    except Exception as error:  # the errors of kagglehub have no class in common
        # An archive that cannot be unpacked would be taken for a finished download next time.
        for archive in _cached(public).glob("*.archive"):
            archive.unlink()
        raise _failure(public, error) from error


def _get(name):
    if name not in PUBLIC_SETS:
        raise InputError(f"there is no public data set {name!r}; there are: {', '.join(PUBLIC_SETS)}")
    return PUBLIC_SETS[name]


def _cached(public):
    root = os.environ.get("KAGGLEHUB_CACHE", os.path.expanduser("~/.cache/kagglehub"))
    return Path(root, "datasets", public.handle)


def _failure(public, error):
    reason = (str(error).strip().splitlines() or [""])[0].rstrip(" .")
    if not reason or reason.endswith(":"):  # what it announces is on the lines that follow; the class says it in a word
        reason = type(error).__name__
    advice = f"download it from {public.url} yourself and give the folder with --data FOLDER"
    return GanimeError(f"{public.name} could not be downloaded ({reason}); {advice}")
