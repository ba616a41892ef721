"""What torch-fidelity, pytorch-fid and prdc say about random features.

    python -m tests.metrics.peers.distances

stores it in distances.json; needs torch, torch-fidelity, pytorch-fid and prdc.
"""

import json
from pathlib import Path

import numpy as np

STORED = Path(__file__).with_suffix(".json")
SEED = 2020  # of the subsets and of the shuffling


def random_features():
    """Real and fake features, float64 [count, dimensions], by the names of the cases.

    Returns:
        {"near": overlapping, but the fakes shifted and a third of them collapsed; "unequal": more real than fake ones,
        correlated dimensions of unequal size, none negative; "few": fewer than dimensions; "far": nothing overlaps}
    """
    random = np.random.default_rng(0)
    fake = random.normal(size=(300, 64)) + 0.1
    fake[:100] = fake[:10].repeat(10, axis=0) + 0.05 * random.normal(size=(100, 64))
    mixing = random.normal(size=(20, 32)) * np.geomspace(3, 0.01, 32)
    unequal = [np.maximum(random.normal(shift, 1, (count, 20)) @ mixing, 0) for count, shift in ((250, 0), (120, 0.2))]
    return {
        "near": (random.normal(size=(300, 64)), fake),
        "unequal": tuple(unequal),
        "few": (random.normal(size=(40, 64)), 1.1 * random.normal(size=(40, 64)) + 0.2),
        "far": (random.normal(size=(50, 8)), random.normal(size=(50, 8)) + 100),
    }


def random_logits():
    """float64 [500, 10]."""
    random = np.random.default_rng(1)
    return 3 * random.normal(size=(500, 10)) + np.linspace(-2, 2, 10)


def distances(real, fake):
    """All that the others say about one case, by what it is and who says it."""
    import torch
    from prdc import compute_prdc
    from pytorch_fid.fid_score import calculate_frechet_distance
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric
    from torch_fidelity.metric_prc import prc_features_to_metric

    tensors = torch.tensor(fake), torch.tensor(real)
    statistics = [fid_features_to_statistics(tensor) for tensor in tensors]
    moments = [part for features in (fake, real) for part in (features.mean(0), np.cov(features, rowvar=False))]
    stored = {
        "frechet torch-fidelity": fid_statistics_to_metric(*statistics, False)["frechet_inception_distance"],
        "frechet pytorch-fid": float(calculate_frechet_distance(*moments)),
    }
    if len(real) == len(fake):  # else it takes no whole sets
        kernel = kid_features_to_metric(*tensors, kid_subsets=1, kid_subset_size=len(fake), verbose=False)
        stored["kernel torch-fidelity"] = kernel["kernel_inception_distance_mean"]
    subsets = {"kid_subsets": 10, "kid_subset_size": 30, "rng_seed": SEED}
    kernel = kid_features_to_metric(*tensors[::-1], **subsets, verbose=False)
    stored["kernel of 10 subsets of 30 torch-fidelity"] = list(kernel.values())
    for neighbors in (3, 5):
        prc = prc_features_to_metric(*tensors, prc_neighborhood=neighbors, verbose=False)
        stored[f"neighbors={neighbors} torch-fidelity"] = {name: prc[name] for name in ("precision", "recall")}
        found = compute_prdc(real, fake, neighbors)
        stored[f"neighbors={neighbors} prdc"] = {name: float(value) for name, value in found.items()}
    return stored


def inception_scores(logits):
    """torch-fidelity's mean and deviation over the parts, shuffled with `SEED`, by the number of parts."""
    import torch
    from torch_fidelity.metric_isc import isc_features_to_metric

    return {
        f"splits={splits}": list(isc_features_to_metric(torch.tensor(logits), splits, rng_seed=SEED).values())
        for splits in (1, 10, 7)
    }


def main():
    """Store what the others say."""
    stored = {name: distances(real, fake) for name, (real, fake) in random_features().items()}
    stored["inception score"] = inception_scores(random_logits())
    STORED.write_text(json.dumps(stored, indent=1) + "\n")


if __name__ == "__main__":
    main()
