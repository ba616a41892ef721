import io
import os
import pickle
import re
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

from ganime.errors import InputError
from ganime.metrics import torch_weights
from ganime.metrics.torch_weights import MAGIC, PROTOCOL, fold_batch_norm, get_weight, read_weights
from tests.metrics.archives import FLOATS, MODULE, SCRIPTED_CLASS, plain, tensor, text
from tests.metrics.peers.weights import EXPECTED, LEGACY, SCRIPT, SCRIPTED, ZIP


@pytest.mark.parametrize(("file", "stored"), [(LEGACY, EXPECTED), (ZIP, EXPECTED), (SCRIPT, SCRIPTED)])
def test_files_of_pytorch_are_read(file, stored):
    weights = read_weights(file)
    assert list(weights) == list(stored)
    for name, expected in stored.items():
        assert weights[name].dtype == expected.dtype
        np.testing.assert_array_equal(weights[name], expected)
    assert stored is SCRIPTED or np.shares_memory(weights["base"], weights["transposed"])


@pytest.mark.parametrize("file", [LEGACY, ZIP, SCRIPT], ids=["legacy", "zip", "script"])
def test_a_file_cut_short_anywhere_is_refused(file, tmp_path):
    content = file.read_bytes()
    for size in (*range(0, len(content), len(content) // 280), len(content) - 1):
        refuse(tmp_path, content[:size])


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
@pytest.mark.parametrize("file", [LEGACY, ZIP, SCRIPT], ids=["legacy", "zip", "script"])
def test_damage_is_refused_or_leaves_the_names_and_types(file, tmp_path):
    random = np.random.default_rng(0)
    content = np.frombuffer(file.read_bytes(), np.uint8)
    for _ in range(300):
        damaged = content.copy()
        damaged[random.integers(len(content), size=3)] = random.integers(256, size=3)
        (tmp_path / "damaged.pth").write_bytes(damaged.tobytes())
        try:
            weights = read_weights(tmp_path / "damaged.pth")
        except InputError:
            continue
        assert sum(values.size for values in weights.values()) < 200


def test_the_code_of_a_scripted_module_is_neither_read_nor_run(tmp_path):
    with zipfile.ZipFile(SCRIPT) as archive, zipfile.ZipFile(tmp_path / "other.pt", "w") as other:
        for file in archive.infolist():
            code = "/code/" in file.filename
            other.writestr(file, b"raise SystemExit" if code else archive.read(file))
    assert read_weights(tmp_path / "other.pt").keys() == SCRIPTED.keys()


class Harmful:
    def __reduce__(self):
        return exec, ("open('harm', 'w').close()",)


@pytest.mark.parametrize("content", [Harmful(), {"a": Harmful()}, OrderedDict(a=[Harmful()])])
@pytest.mark.parametrize("wrap", ["legacy", "zip"])
def test_code_is_not_run(tmp_path, monkeypatch, content, wrap):
    monkeypatch.chdir(tmp_path)
    refuse(tmp_path, wrapped(pickle.dumps(content, 2), wrap), "it asks for '__builtin__ exec'")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (5,), (1,)),
        (1, (4,), (1,)),
        (4, (1,), (1,)),
        (0, (2, 2), (3, 1)),
        (3, (2,), (-1,)),
        (-1, (1,), (1,)),
        (0, (-1,), (1,)),
        (0, (10**6, 10**6), (0, 0)),
        (0, (2**32, 2**32), (1, 1)),
        (0, (2,), (2**62,)),
        (2**62, (1,), (1,)),
        (0, (1,), ()),
        (0, (2.0,), (1,)),
        (0, (True,), (True,)),
        (0, (0, 2**70), (1, 1)),
        (0, (1,) * 100, (1,) * 100),
        (0, (2**2000,) * 40_000, (0,) * 40_000),  # the product would take hours
    ],
)
def test_nothing_beyond_a_storage_can_be_reached(tmp_path, offset, shape, strides):
    storage = FLOATS, b"0", 4
    for wrap in ("legacy", "zip"):
        refuse(tmp_path, wrapped(state_dict(storage, offset, shape, strides), wrap))
    (tmp_path / "good.pth").write_bytes(wrapped(state_dict(storage, 1, (2,), (2,)), "zip"))
    np.testing.assert_array_equal(read_weights(tmp_path / "good.pth")["a"], [1, 3])


@pytest.mark.parametrize(
    ("size", "reason"), [(3, "sizes differ"), (5, ""), (-1, ""), (2**40, "cut short"), (2**70, "cut short")]
)
@pytest.mark.parametrize("wrap", ["legacy", "zip"])
def test_sizes_that_are_not_the_files_are_refused(tmp_path, size, reason, wrap):
    refuse(tmp_path, wrapped(state_dict((FLOATS, b"0", size), 0, (1,), (1,)), wrap), reason)


def test_keys_of_storages_are_strings(tmp_path):
    refuse(
        tmp_path,
        wrapped(b"\x80\x02(" + text(b"storage") + FLOATS + plain(0) + text(b"cpu") + plain(4) + b"tQ.", "zip"),
        "no string",
    )


@pytest.mark.parametrize(
    ("instructions", "reason"),
    [
        (b"N.", "something else than tensors"),
        (b"]r\xff\xff\xff\xff.", "something else than tensors"),  # would make pickle's table of memories 64 GB large
        (b"\x8e" + struct.pack("<Q", 2**40) + b".", "damaged"),  # a string said to be 1 TB long
        (b"(" * 310_000 + b".", "too long"),
        (b"}" + b")" + b"\x85" * 290_000 + b"Ns.", "no string"),  # the hash of nested tuples overflows C's stack
        (b"}c__builtin__\nlist\nNs.", "__builtin__ list"),
        (b"ccollections\nOrderedDict\n}\x85R.", "unusual call"),  # many copies of a large one would take any memory
        (b"R.", "too short"),
        (b"0.", "POP"),
        (b"\x82\x01.", "EXT1"),
        (b"cos\n" + b"x" * 500 + b"\n.", "asks for 'os x{77}'"),
        (b"ctorch\nBFloat16Storage\n.", "BFloat16Storage"),
        (b"c__builtin__\nlist\n)\x81.", "__builtin__ list"),
        (text(b"list") + b")\x81.", "NEWOBJ"),
        (SCRIPTED_CLASS + b"K\x01\x85\x81.", "NEWOBJ"),
        (MODULE + b"K\x01\x85b.", "BUILD"),  # what it holds is not by names
        (MODULE + b".", "damaged"),  # nor is there anything
        (MODULE + b"q\x00}" + text(b"a") + b"h\x00sb.", "two places"),  # it holds itself
        (MODULE + b"}" + text(b"a") + MODULE + b"}q\x00bs" + text(b"b") + MODULE + b"h\x00bsb.", "two places"),
        (MODULE + b"}" + text(b"a" * 600) + MODULE + b"}" + text(b"b" * 600) + b"Nsbsb.", "too long"),
    ],
)
def test_other_pickles_are_refused(tmp_path, instructions, reason):
    refuse(tmp_path, wrapped(b"\x80\x02" + instructions, "zip"), reason)


@pytest.mark.skipif(os.sep != "/", reason="named pipes")
def test_what_is_no_file_or_too_large_is_refused(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.pth")
    with pytest.raises(InputError, match=r"pipe\.pth cannot be read: not a file"):
        read_weights(tmp_path / "pipe.pth")
    monkeypatch.setattr(torch_weights, "MAX_BYTES", 100)
    with pytest.raises(InputError, match=r"zip\.pth .*bytes are more than 100"):
        read_weights(ZIP)


@pytest.mark.parametrize(
    ("part", "value", "reason"),
    [("conv.weight", np.nan, "conv.weight holds values that are not finite"), ("bn.bias", np.inf, "bn.bias holds values"),
     ("bn.running_var", -5, "bn holds absurd values"), ("conv.weight", 1e39, "bn holds absurd values")],
)  # fmt: skip
def test_weights_that_cannot_be_are_refused(part, value, reason):
    shape, norms = (2, 3, 1, 1), ("weight", "bias", "running_mean", "running_var")
    weights = {"conv.weight": np.ones(shape), **{f"bn.{name}": np.ones(2) for name in norms}}
    fold_batch_norm(weights, "conv", "bn", shape, 1e-3)
    weights[part].flat[1] = value
    with pytest.raises(InputError, match=f"these weights are damaged: {reason}"):
        fold_batch_norm(weights, "conv", "bn", shape, 1e-3)


def test_other_files_are_refused(tmp_path):
    for content in (b"", b"PK", b"\x89PNG", pickle.dumps(1), pickle.dumps({}), wrapped(pickle.dumps({}), "zip")[100:]):
        refuse(tmp_path, content)
    refuse(tmp_path, wrapped(b"}.", "zip", compression=zipfile.ZIP_DEFLATED), "compressed")
    refuse(tmp_path, wrapped(b"}.", "zip", byteorder=b"big"), "big-endian")
    refuse(tmp_path, wrapped(b"}.", "legacy", little=False), "big-endian")
    for path in (tmp_path, tmp_path / "missing.pth"):
        with pytest.raises(InputError, match="cannot be read: "):
            read_weights(path)


def test_a_convolution_with_the_normalization_folded_in_is_both(tmp_path):
    random = np.random.default_rng(0)
    weights = {"c.weight": random.normal(size=(5, 3, 2, 1)), "n.running_var": random.uniform(0, 2, 5)}
    weights |= {f"n.{part}": random.normal(size=5) for part in ("weight", "bias", "running_mean")}
    kernel, bias = fold_batch_norm(weights, "c", "n", (5, 3, 2, 1), 0.1)
    patch = random.normal(size=(3, 2, 1))
    plain = np.tensordot(weights["c.weight"], patch, 3)
    normal = (plain - weights["n.running_mean"]) / np.sqrt(weights["n.running_var"] + 0.1)
    found = np.einsum("chw,hwcf->f", patch, kernel) + bias
    np.testing.assert_allclose(found, normal * weights["n.weight"] + weights["n.bias"], rtol=1e-5)
    del weights["n.bias"]
    with pytest.raises(InputError, match=r"n\.bias is missing"):
        fold_batch_norm(weights, "c", "n", (5, 3, 2, 1), 0.1)


def test_weights_of_another_network_are_named():
    weights = {"a": np.zeros((2, 3))}
    assert get_weight(weights, "a", (2, 3)) is weights["a"]
    with pytest.raises(InputError, match=r"b is missing"):
        get_weight(weights, "b", (2, 3))
    with pytest.raises(InputError, match=r"a has the shape \(2, 3\), not \(3,\)"):
        get_weight(weights, "a", (3,))


def refuse(folder, content, reason=""):
    path = folder / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"^{re.escape(str(path))} is no file of PyTorch weights.*{reason}"):
        read_weights(path)


def state_dict(storage, offset, shape, strides):
    """The pickle of {"a": tensor}."""
    return b"\x80\x02}" + text(b"a") + tensor(storage, offset, shape, strides) + b"s."


def wrapped(pickled, wrap, compression=zipfile.ZIP_STORED, byteorder=b"little", little=True):
    """A file of either format with this pickle and one storage of [0, 1, 2, 3]."""
    numbers = np.arange(4, dtype="<f4").tobytes()
    if wrap == "legacy":
        before = b"".join(pickle.dumps(value, 2) for value in (MAGIC, PROTOCOL, {"little_endian": little}))
        return before + pickled + pickle.dumps(["0"], 2) + struct.pack("<q", 4) + numbers
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in {"data.pkl": pickled, "byteorder": byteorder, "data/0": numbers}.items():
            archive.writestr(f"archive/{name}", content)
    return stream.getvalue()
