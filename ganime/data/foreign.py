"""Files that hold pictures in a way that is not read, and what makes of each a source that is (no TensorFlow)."""

import re
import shlex
from typing import NamedTuple

ARRAY = "numpy.save('pictures.npy', "
LOOP = "[open(f'faces/{i:07}', 'wb').write(value) for i, "


class Foreign(NamedTuple):
    """A kind of file.

    Attributes:
        name: What one is called.
        endings: Of the names of such files.
        beginning: Pattern of what they begin with; empty if that says nothing.
        remedy: A command, `{}` being the file, and what to say of it.
    """

    name: str
    endings: tuple[str, ...]
    beginning: bytes
    remedy: str

    def remedy_for(self, path: str) -> str:
        """What to do with a file; the path is printable."""
        return self.remedy.replace("{}", shlex.quote(path))


def _python(code, more=""):
    """A command that runs this code; the file is `sys.argv[1]`."""
    return f'python -c "import sys, {code}" {{}}{more}'


THEN = "; then give pictures.npy"
NAME = " NAME, which is one of those that it prints"
KINDS = (
    Foreign("7z archive", (".7z", ".cb7"), rb"7z\xbc\xaf\x27\x1c", "7z x {} -ofaces makes a folder of it"),
    Foreign("RAR archive", (".rar", ".cbr"), rb"Rar!\x1a\x07", "unrar x {} faces/ makes a folder of it"),
    Foreign("PDF", (".pdf",), rb"%PDF-", "mkdir faces && pdfimages -all {} faces/page takes the pictures out of it"),
    Foreign(
        "video",
        (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".wmv", ".flv", ".mpg", ".mpeg"),
        rb"\x1a\x45\xdf\xa3|RIFF.{4}AVI |.{4}ftyp(?:mp4|iso|qt  |M4V|avc1|dash|3gp)|\0\0\x01\xba",
        "mkdir faces && ffmpeg -i {} -vf fps=1 faces/%06d.png takes a picture of each second",
    ),
    Foreign(
        "HDF5 file",
        (".h5", ".hdf5", ".he5"),
        rb"\x89HDF\r\n\x1a\n|MATLAB 7\.3",
        _python(f"h5py, numpy; file = h5py.File(sys.argv[1]); file.visit(print); {ARRAY}file[sys.argv[2]])", NAME + THEN),
    ),
    Foreign(
        "MATLAB file",
        (".mat",),
        rb"MATLAB 5\.0",
        _python(
            "scipy.io, numpy; file = scipy.io.loadmat(sys.argv[1]); print(*file); "
            f"{ARRAY}numpy.ascontiguousarray(file[sys.argv[2]]))",
            NAME + THEN,
        ),
    ),
    Foreign(
        "PyTorch file",
        (".pt", ".pth"),
        rb"PK\x03\x04.{26}[^/]{1,80}/data\.pkl",
        _python(f"torch, numpy; {ARRAY}torch.load(sys.argv[1], weights_only=True))", ", if it holds one tensor"),
    ),
    Foreign(
        "pickle",
        (".pkl", ".pickle"),
        rb"\x80[\2-\5](?:\x95|c|\}|\])",
        _python(
            f"pickle, numpy; {ARRAY}pickle.load(open(sys.argv[1], 'rb')))",
            ", if it holds one array, and if you trust where it is from: a pickle may run any program",
        ),
    ),
    Foreign(
        "TFRecord file",
        (".tfrecord", ".tfrecords"),
        b"",
        "mkdir faces && "
        + _python(
            "tensorflow as tf; "
            + LOOP
            + "record in enumerate(tf.data.TFRecordDataset(sys.argv[1])) "
            + "for feature in [tf.train.Example.FromString(record.numpy()).features.feature] "
            + "for value in [i or print(*feature), feature[sys.argv[2]].bytes_list.value[0]][1:]]",
            NAME,
        ),
    ),
    Foreign(
        "LMDB database",
        (".mdb", ".lmdb"),
        rb".{16}\xde\xc0\xef\xbe",
        "mkdir faces && "
        + _python(
            "lmdb; " + LOOP + "(key, value) in enumerate(lmdb.open(sys.argv[1], subdir=False, readonly=True, lock=False)"
            ".begin().cursor())]",
            " makes a folder of it, if its values are files",
        ),
    ),
    Foreign(
        "PSD, SVG or RAW file",
        (".psd", ".xcf", ".kra", ".clip", ".svg", ".exr", ".dng", ".cr2", ".nef", ".arw", ".dcm", ".dds"),
        rb"8BPS\0\x01",
        "save it as PNG",
    ),
)


def of_content(head: bytes) -> Foreign | None:
    """Which of the `KINDS` a file is that begins with these (512) bytes; None if it is not known to be one."""
    return next((kind for kind in KINDS if kind.beginning and re.match(kind.beginning, head, re.DOTALL)), None)


def of_ending(ending: str) -> Foreign | None:
    """Which of the `KINDS` a name with this ending (in small letters) says that it is; None if it does not say that."""
    return next((kind for kind in KINDS if ending in kind.endings), None)
