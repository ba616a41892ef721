"""Measurements, each a script that compares in one run and prints ratios."""
