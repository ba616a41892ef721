"""Feature networks, one file each: a file that defines `NETWORK`, a `FeatureNetwork`, is a network of that name."""
