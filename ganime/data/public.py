"""Public data sets of faces, fetched with the optional libraries kagglehub and huggingface_hub (no TensorFlow)."""

import os
from dataclasses import dataclass
from pathlib import Path

from ganime.data import hub_sets
from ganime.errors import GanimeError, InputError

KAGGLE, HUGGING_FACE = "kaggle.com", "huggingface.co"


@dataclass(frozen=True)
class PublicSet:
    """A data set that everybody may download.

    Attributes:
        name: What it is called here.
        handle: What it is called where it is: owner/dataset.
        pictures: How many there are to train on; None if that is not known.
        size: Width and height of the pictures in words.
        subfolders: The folders within it that hold these pictures; empty if all of it does.
        note: What else to know before training on it.
        hub: Where it is.
        file: The only file within it that is fetched, if not all of it is; for Hugging Face.
        revision: The commit, tag or branch that is fetched; for Hugging Face.
    """

    name: str
    handle: str
    pictures: int | None
    size: str
    subfolders: tuple[str, ...] = ()
    note: str = ""
    hub: str = KAGGLE
    file: str = ""
    revision: str = "main"

    @property
    def url(self) -> str:
        """The page that describes it and has a button to download it."""
        return f"https://{'www.' * (self.hub == KAGGLE)}{self.hub}/datasets/{self.handle}"


PUBLIC_SETS: dict[str, PublicSet] = {
    public.name: public
    for public in (
        PublicSet("anime-faces", "soumikrakshit/anime-faces", 21_551, "64x64", note="4,522 of them are exact copies"),
        PublicSet("animefacedataset", "splcher/animefacedataset", 63_565, "about 90x90", note="sizes vary"),
        PublicSet("animecharacterfaces", "aadilmalik94/animecharacterfaces", None, "unknown"),
        PublicSet("selfie2anime", "arnaud58/selfie2anime", 3_500, "256x256", ("trainB", "testB"), "only its anime half"),
        PublicSet(
            "huggan-anime-faces",
            "huggan/anime-faces",
            43_102,
            "64x64",
            note="its card says 21,551 and CC0; check for copies",
            hub=HUGGING_FACE,
            file="data.zip",
            revision="67ebcf8c69b45feb3883d695f04227078a6c9da9",
        ),
        PublicSet(
            "anime-face-dataset",
            "DrishtiSharma/Anime-Face-Dataset",
            63_565,
            "unknown",
            note="407 MB of parquet; its page names no license",
            hub=HUGGING_FACE,
        ),
        PublicSet(
            "celeba-faces",
            "nielsr/CelebA-faces",
            202_599,
            "178x218",
            note="photographs, 1.4 GB of parquet; CelebA is for research that is not commercial",
            hub=HUGGING_FACE,
        ),
    )
}


def get(name: str) -> PublicSet | None:
    """The public data set of a name, or at an address on Hugging Face (`hf://datasets/USER/NAME`); None if it is neither.

    Raises:
        InputError: If it is an address that is malformed.
    """
    if not name.startswith("hf://"):
        return PUBLIC_SETS.get(name)
    handle, revision = hub_sets.parse(name)
    return PublicSet(handle.partition("/")[2], handle, None, "unknown", hub=HUGGING_FACE, revision=revision)


def find(name: str) -> Path | None:
    """Where a complete download of a public data set lies; the network is not asked.

    Returns:
        The folder of the highest version in the cache of kagglehub that is there in full; what `hub_sets.find` gives; or None.

    Raises:
        InputError: If there is no public data set of that name.
    """
    public = _get(name)
    if public.hub == HUGGING_FACE:
        return hub_sets.find(public.handle, public.revision, public.file)
    folder = _cached(public)
    # kagglehub writes the marker last: a folder without one is a download that was broken off.
    markers = [path for path in folder.glob("*.complete") if path.stem.isdecimal()]
    versions = [int(path.stem) for path in markers if (folder / "versions" / path.stem).is_dir()]
    return folder / "versions" / str(max(versions)) if versions else None


def download(name: str) -> Path:
    """A public data set on disk: what `find` gives, else it is downloaded into its library's cache.

    Returns:
        The folder it lies in, or the only archive in it. Of a folder only the `subfolders`, if there are any, hold pictures to
        train on.

    Raises:
        InputError: If there is no public data set of that name.
        GanimeError: If its library is not installed, or the download fails.
        OSError: If the disk fails or is full.
    """
    public = _get(name)
    if public.hub == HUGGING_FACE:
        return hub_sets.download(public.handle, public.revision, public.file)
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
    if (public := get(name)) is None:
        known = f"{', '.join(PUBLIC_SETS)}, and {hub_sets.PREFIX}USER/NAME"
        raise InputError(f"there is no public data set {name!r}; there are: {known}")
    return public


def _cached(public):
    root = os.environ.get("KAGGLEHUB_CACHE", os.path.expanduser("~/.cache/kagglehub"))
    return Path(root, "datasets", public.handle)


def _failure(public, error):
    reason = (str(error).strip().splitlines() or [""])[0].rstrip(" .")
    if not reason or reason.endswith(":"):  # what it announces is on the lines that follow; the class says it in a word
        reason = type(error).__name__
    advice = f"download it from {public.url} yourself and give the folder with --data FOLDER"
    return GanimeError(f"{public.name} could not be downloaded ({reason}); {advice}")
