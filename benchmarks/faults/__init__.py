"""A campaign of injected faults: `python -m benchmarks.faults`."""
