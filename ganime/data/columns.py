"""The columns of parquet files that hold pictures, their names and their classes (no TensorFlow; needs pyarrow).

pyarrow is imported only where it is needed, since few have it.
"""

import contextlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from ganime.data.decode import MAX_BYTES, format_of
from ganime.data.names import show
from ganime.errors import GanimeError, InputError, missing, one_line

LABEL = "label"  # name of a column of classes
ROWS, AT_ONCE = 256, 2**25  # rows, and bytes, that are held at a time
MANY_ROWS = 2**14  # of paths alone
MOST_AT_ONCE = 2**28  # bytes that these may be if all values are the same, which a file may hold but once
HUGE = 2**31  # bytes of pictures in a part of a file
SNIFFED = 8  # rows that tell whether a column of bytes holds pictures
SHOWN = 10  # columns


class Table:
    """Rows of pictures in parquet files.

    Attributes:
        count: Number of rows.
        size: Bytes of all pictures, if the files are right about that.
        file_size: Bytes of the files.
        has_labels: Whether there is a column of classes.

    Raises:
        InputError: If the files are none of parquet, damaged, or without a column that can only be that of the pictures.
        GanimeError: If pyarrow is not installed, or they cannot be read.
    """

    def __init__(self, paths: Sequence[Path]):
        self._paths, self._column, self.count, self.size, self.file_size = paths, None, 0, 0, 0
        for path in paths:
            with _open(path) as (file, parquet):
                schema = parquet.schema_arrow
                features = _hub_features(schema)
                if self._column is None:
                    self._column = _choose(path, schema, features, partial(_begins_with_pictures, path, file, parquet))
                    self.has_labels, self._classes = _is_label(schema), features.get(LABEL, {}).get("names")
                elif not any(self._column == field.name for field in _candidates(schema)):
                    raise InputError(f"{show(path)} has no column {_tell(self._column)} of pictures, as {show(paths[0])} has")
                elif _is_label(schema) != self.has_labels:
                    raise InputError(f"{show(path)} and {show(paths[0])} do not both have a column {LABEL}")
                self.count += parquet.metadata.num_rows
                self.file_size += os.fstat(file.fileno()).st_size
                self.size += sum(_check_size(path, parquet, group) for group in range(parquet.num_row_groups))
        if self.count > self.file_size:
            raise InputError(f"{show(paths[0])}: {self.count:,} rows in {self.file_size:,} bytes cannot be pictures")

    def paths(self) -> Iterator[bytes | None]:
        """What each row calls its picture, if it does; pictures are not read for that."""
        for path in self._paths:
            with _open(path) as (file, parquet):
                if not _has_paths(parquet.schema_arrow.field(self._column).type):
                    yield from [None] * parquet.metadata.num_rows
                    continue
                for batch in _batches(file, parquet, [f"{self._column}.path"], MANY_ROWS):
                    yield from _texts(batch.column(0).flatten()[0])

    def rows(self) -> Iterator[tuple[bytes | None, bytes | None, str | int | None]]:
        """The encoded picture, its path and its class in each row, if it has them."""
        columns = [self._column, f"{self._column}.bytes", f"{self._column}.path", *([LABEL] if self.has_labels else [])]
        for path in self._paths:
            with _open(path) as (file, parquet):
                for batch in _batches(file, parquet, columns, ROWS):
                    pictures = batch.column(batch.schema.get_field_index(self._column))
                    yield from zip(*_split(pictures), self._labels(batch), strict=True)

    def _labels(self, batch):
        if not self.has_labels:
            return [None] * len(batch)
        labels = batch.column(batch.schema.get_field_index(LABEL)).to_pylist()
        if not isinstance(self._classes, list):
            return labels
        names = dict(enumerate(map(str, self._classes)))
        return [names.get(label) if isinstance(label, int) else label for label in labels]  # -1 is for none


@contextlib.contextmanager
def _open(path):
    """A file, and what pyarrow makes of it; its errors become ours."""
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise missing("pyarrow") from error
    try:
        # As an open file, since pyarrow takes no names but in UTF-8; in pieces, since a part of a file may be all of it.
        with open(path, "rb") as file, ParquetFile(file, pre_buffer=False, buffer_size=2**20) as parquet:
            yield file, parquet
    except GanimeError:
        raise
    except MemoryError as error:
        raise GanimeError(f"not enough memory for {show(path)}") from error
    except (pyarrow.ArrowException, ValueError, KeyError, IndexError, OverflowError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # pyarrow's own have none
            raise GanimeError(f"{show(path)} cannot be read ({error})") from error
        reason = one_line(str(error), 200)
        raise InputError(f"{show(path)} is no whole parquet file ({reason}); fetch it, or make it, anew") from error


def _choose(path, schema, features, begins_with_pictures):
    """The name of the column of pictures."""
    import pyarrow

    candidates = [*_candidates(schema)]
    said = [field for field in candidates if features.get(field.name, {}).get("_type") == "Image"]
    structs = [field for field in candidates if pyarrow.types.is_struct(field.type)]
    plain = [field for field in candidates if field not in structs]
    found = said or structs or [field for field in plain if begins_with_pictures(field.name)]
    if len(found) == 1:
        return found[0].name
    shown = ", ".join(f"{_tell(field.name)} ({one_line(str(field.type), 60)})" for field in [*(found or schema)][:SHOWN])
    if found:
        raise InputError(f"{show(path)} has several columns of pictures: {shown}; write a file with one of them")
    form = "a column of encoded pictures, or of structs of these as bytes and a path"
    raise InputError(f"{show(path)} has no column of pictures, but {shown or 'none'}; it should have {form}")


def _candidates(schema):
    """The columns that may hold pictures."""
    import pyarrow

    for field in schema:
        kind = field.type
        if pyarrow.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            kind = kind.field("bytes").type
        # Of two columns of one name neither can be asked for.
        if _is_bytes(kind) and schema.get_field_index(field.name) >= 0:
            yield field


def _is_bytes(kind):
    from pyarrow import types

    return types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind)


def _is_label(schema):
    from pyarrow import types

    place = schema.get_field_index(LABEL)
    return place >= 0 and any(
        test(schema.field(place).type) for test in (types.is_integer, types.is_string, types.is_large_string)
    )


def _has_paths(kind):
    from pyarrow import types

    place = kind.get_field_index("path") if types.is_struct(kind) else -1
    return place >= 0 and (types.is_string(kind.field(place).type) or types.is_large_string(kind.field(place).type))


def _split(pictures):
    """Bytes and paths of pictures, as lists."""
    kind = pictures.type
    if _is_bytes(kind):
        return pictures.to_pylist(), [None] * len(pictures)
    fields = pictures.flatten()  # where a struct is null, so are all its parts
    paths = _texts(fields[kind.get_field_index("path")]) if _has_paths(kind) else [None] * len(pictures)
    return fields[kind.get_field_index("bytes")].to_pylist(), paths


def _texts(array):
    import pyarrow

    return array.cast(pyarrow.large_binary()).to_pylist()  # as bytes, which need not be in UTF-8


def _hub_features(schema):
    """What the hub's libraries say of columns, by their names."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {name: about for name, about in features.items() if isinstance(about, dict)}
    return {}


def _begins_with_pictures(path, file, parquet, name):
    if not parquet.num_row_groups:
        return False
    _check_size(path, parquet, 0)
    batch = next(_batches(file, parquet, [name], SNIFFED), None)
    first = [data for data in (batch.column(0).to_pylist() if batch else ()) if data]
    return bool(first) and all(map(format_of, first))


def _check_size(path, parquet, number):
    """Bytes of a part of a file, unpacked."""
    group = parquet.metadata.row_group(number)
    average = group.total_byte_size // max(1, group.num_rows)
    if group.total_byte_size > HUGE and average > MAX_BYTES:
        raise InputError(f"{show(path)}: its pictures have {average:,} bytes on average, more than {MAX_BYTES:,}")
    return group.total_byte_size


def _batches(file, parquet, columns, rows):
    """The rows of these columns, those that are there, some at a time: few where the values are large."""
    leaves = {i: path for i in range(len(parquet.schema)) if (path := parquet.schema.column(i).path) in columns}
    for number in range(parquet.num_row_groups):
        # What pyarrow (26) says of a part of a column ends the program if that is damaged; reading it first raises an error.
        next(parquet.iter_batches(1, [number], [*leaves.values()], use_threads=False), None)
        group = parquet.metadata.row_group(number)
        chunks = [group.column(leaf) for leaf in leaves]
        average = sum(chunk.total_uncompressed_size for chunk in chunks) // max(1, group.num_rows)
        once = sum(_size_of_dictionary(file, chunk) for chunk in chunks)
        count = max(1, min(rows, AT_ONCE // max(1, average), MOST_AT_ONCE // max(1, once)))
        yield from parquet.iter_batches(count, [number], [*leaves.values()], use_threads=False)


def _size_of_dictionary(file, chunk):
    """Bytes of the values that a part of a column holds but once, however often they occur; 0 if there are none."""
    file.seek(chunk.dictionary_page_offset or chunk.data_page_offset)
    # The header of a page begins with its kind, 2 for these, and its size unpacked; numbers are in groups of seven bits.
    match = re.match(rb"\x15(.)\x15([\x80-\xff]*[\0-\x7f])", file.read(16), re.DOTALL)
    if not match:
        return chunk.total_uncompressed_size
    return sum((byte & 127) << 7 * i for i, byte in enumerate(match[2])) // 2 if match[1] == b"\4" else 0


def _tell(column):
    return f"'{one_line(column, 60)}'"
