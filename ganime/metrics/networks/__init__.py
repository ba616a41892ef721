"""Feature networks, one file each: a file that defines `NETWORK`, a `FeatureNetwork`, is a network of that name."""

import pkgutil


def network_names() -> list[str]:
    """The names of all feature networks (no TensorFlow)."""
    return [module.name for module in pkgutil.iter_modules(__path__)]
