"""The networks: plain Keras functional models, one file per family."""

from ganime.networks.dcgan import build_discriminator, build_generator

__all__ = ["build_discriminator", "build_generator"]
