"""A trained generator elsewhere: one file for each format."""
