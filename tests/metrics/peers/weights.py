"""Files of weights that PyTorch wrote, in both of its formats.

    python -m tests.metrics.peers.weights

writes legacy.pth and zip.pth; needs torch.
"""

from pathlib import Path

import numpy as np

LEGACY, ZIP = (Path(__file__).with_name(name) for name in ("legacy.pth", "zip.pth"))
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


def main():
    """Write both files."""
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


if __name__ == "__main__":
    main()
