"""Files of weights that PyTorch wrote, in all of its formats.

    python -m tests.metrics.peers.weights

writes legacy.pth, zip.pth and script.pt; needs torch.
"""

import io
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np

LEGACY, ZIP, SCRIPT = (Path(__file__).with_name(name) for name in ("legacy.pth", "zip.pth", "script.pt"))
BASE = np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 6)
EXPECTED = {
    "base": BASE,
    "transposed": BASE.T,
    "corner": BASE[1:, 2::2],
    "float16": (BASE / 3).astype(np.float16),
    "float64": (BASE / 3).astype(np.float64),
    "integers": np.array([-(2**40), 0, 2**40]),
    "small": np.array([[-128, 127]], np.int8),
    "choices": np.array([True, False, True]),
    "step": np.array(12345),
    "nothing": np.zeros((0, 3), np.float32),
    "parameter": BASE[0] + 1,
}
SCRIPTED = {
    "net.conv.weight": BASE[:2, :3].reshape(2, 3, 1, 1),
    "net.bn.weight": BASE[0, :2],
    "net.bn.bias": BASE[1, :2],
    "net.bn.running_mean": BASE[2, :2],
    "net.bn.running_var": BASE[3, :2],
    "net.bn.num_batches_tracked": np.array(7),
}


def main():
    """Write the files."""
    import torch

    base = torch.tensor(BASE)
    views = {"base": base, "transposed": base.T, "corner": base[1:, 2::2]}  # all of one storage
    others = {name: torch.tensor(values) for name, values in EXPECTED.items() if name not in views}
    module = torch.nn.Module()
    for name, values in (views | others).items():
        module.register_buffer(name, values)
    state = module.state_dict()  # an OrderedDict with an attribute, as of any network
    state["parameter"] = torch.nn.Parameter(state["parameter"])
    torch.save(state, LEGACY, _use_new_zipfile_serialization=False)
    torch.save(state, ZIP)

    net = torch.nn.Sequential(OrderedDict(conv=torch.nn.Conv2d(3, 2, 1, bias=False), bn=torch.nn.BatchNorm2d(2)))
    module = torch.nn.Sequential(OrderedDict(net=net))
    module.load_state_dict({name: torch.tensor(values) for name, values in SCRIPTED.items()})
    stream = io.BytesIO()
    torch.jit.save(torch.jit.script(module), stream)
    with zipfile.ZipFile(stream) as archive, zipfile.ZipFile(SCRIPT, "w") as kept:
        for file in archive.infolist():
            if not file.filename.endswith(".debug_pkl"):  # which names folders of the machine
                kept.writestr(file, archive.read(file))


if __name__ == "__main__":
    main()
