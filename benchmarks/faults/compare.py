"""What must be equal in a run and in one that was left alone."""

import functools
import io

END = 8  # the step at which a run is done; one that is begun is at half of that


@functools.cache
def read_whole(run):
    """`read_run` of what does not change."""
    return read_run(run)


def read_run(run):
    """What must be equal, by its name."""
    from ganime.generation.archive import read_archive
    from ganime.history import read_rows
    from ganime.run import Run

    run = Run(run)
    names, _, table, _ = read_rows(run.history_path)
    table = {name: column.tobytes() for name, column in zip(names, table.T, strict=False)}
    return {
        "weights": arrays(lambda: run.newest_state().weights),
        "generator": arrays(lambda: read_archive(run.generator_path).weights),
        "history": {name: table[name] for name in sorted(table) if name not in ("seconds", "images_per_second")},
        "grids": {path.name: path.read_bytes() for step, path in run.samples() if step != END // 2},
        "kept": {path.name: read_kept(path) for path in run.snapshots_path.glob("step-*")},
    }


def read_kept(path):
    """What is in a file of a step that is kept, a state or a generator; None if it is damaged."""
    from ganime.generation.archive import read_archive
    from ganime.state import read_state

    return arrays(lambda: (read_archive if path.suffix == ".keras" else read_state)(path).weights)


def arrays(read):
    """All arrays of HDF5 by their names, as bytes; None if it cannot be read."""
    import h5py

    from ganime.errors import GanimeError

    found = {}
    try:
        with h5py.File(io.BytesIO(read())) as file:
            file.visititems(lambda name, item: found.update({name: item[()].tobytes()}) if hasattr(item, "shape") else None)
    except (GanimeError, OSError, AttributeError):
        return None
    return found
