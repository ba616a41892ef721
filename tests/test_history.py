import json
from dataclasses import asdict

import numpy as np
import pytest

from ganime.history import PARTS, Summary, cut_after, last_row, read_history, read_rows, summarize

NAMES = ["step", "seconds", "d_loss", "g_loss", "real_score", "fake_score", "KID-lite0"]


def write(path, count):
    """A history of so many steps, with a score every 100."""
    rows = [
        [step, step / 2, 1 / step, step % 7, 0.5, 0.25, step / 10 if step % 100 == 0 else np.nan]
        for step in range(1, count + 1)
    ]
    path.write_text("\n".join([",".join(NAMES), *(",".join(map(str, row)) for row in rows)]) + "\n")
    return rows


@pytest.mark.parametrize("count", [1, 7, PARTS, PARTS + 1, 4500])
def test_the_summary_is_that_of_all_rows(tmp_path, count):
    rows = np.array(write(tmp_path / "history.csv", count))
    summary = summarize(tmp_path / "history.csv")
    width = 1 if count <= PARTS else 2 if count <= 2 * PARTS else 8
    assert (summary.rows, summary.step, summary.seconds, summary.width) == (count, count, count / 2, width)
    parts = [rows[i : i + width].mean(0) for i in range(0, count, width)]
    assert len(parts) <= PARTS
    np.testing.assert_allclose(np.array([*summary.means().values()]).T, np.array(parts)[:, [0, 2, 3, 4, 5]])
    scored = rows[np.isfinite(rows[:, 6])]
    table = summary.score_table()
    assert (
        np.array_equal(table["step"], scored[:, 0]) and np.array_equal(table["KID-lite0"], scored[:, 6])
        if len(scored)
        else not table
    )
    assert Summary(**json.loads(json.dumps(asdict(summary)))) == summary


def test_what_is_kept_of_a_history_does_not_grow_with_it():
    summary = Summary()
    for step in range(1, 20 * PARTS + 1):
        summary.add(dict(zip(NAMES[:-1], [step, 1.0, 1.0, 1.0, 1.0, 1.0], strict=True)))
    assert len(summary.sums) <= PARTS and summary.means()["step"].mean() == pytest.approx(10 * PARTS + 0.5, rel=0.03)


def test_rows_that_cannot_be_read_are_left_out_and_the_others_kept(tmp_path):
    path = tmp_path / "history.csv"
    write(path, 5)
    header, *rows = path.read_text().splitlines(keepends=True)
    for damaged in (
        rows[1].replace("0.5", "\0"),
        rows[1][: len(rows[1]) // 2],  # and what follows on the same line
        "2,x,y,z,u,v,w\n",
        "\n",
        "\ufffd,\n",
    ):
        path.write_text("".join([header, rows[0], damaged, *rows[2:]]), encoding="utf-8")
        torn = not damaged.endswith("\n")
        assert read_history(path)["step"].tolist() == ([1, 4, 5] if torn else [1, 3, 4, 5]), damaged
        assert read_rows(path)[3]
    path.write_text("".join([header, *rows, rows[4][:9]]))  # a kill's
    assert read_history(path)["step"].tolist() == [1, 2, 3, 4, 5] and not read_rows(path)[3]
    assert last_row(path)["step"] == 5
    path.write_text("".join(["\0" * 40 + "\n", *rows]))
    assert read_history(path) == {} and read_rows(path)[3]


def test_rows_after_a_summary_are_cut_without_reading_those_before(tmp_path):
    path = tmp_path / "history.csv"
    write(path, 2000)
    whole = path.read_bytes()
    summary = summarize(path, 1500)
    summary.names, summary.size = NAMES, whole.index(b"\n1501,") + 1
    path.write_bytes(whole.replace(b"\n700,", b"\n\0\0\0,"))  # no matter
    assert cut_after(path, summary) and cut_after(path, summary)
    assert path.stat().st_size == summary.size and path.read_bytes().endswith(whole[: summary.size][-100:])


@pytest.mark.parametrize("change", ["longer rows", "other columns", "shorter", "empty", "gone", "unfinished"])
def test_another_file_is_not_cut(tmp_path, change):
    path = tmp_path / "history.csv"
    write(path, 20)
    whole = path.read_bytes()
    summary = summarize(path, 15)
    summary.names, summary.size = NAMES, whole.index(b"\n16,") + 1
    other = {
        "longer rows": whole.replace(b"0.25", b"0.250"),
        "other columns": whole.replace(b"d_loss", b"e_loss"),
        "shorter": whole[: summary.size - 5],
        "empty": b"",
        "unfinished": whole[: summary.size - 1] + b" " + whole[summary.size :],
    }
    path.unlink() if change == "gone" else path.write_bytes(other[change])
    assert not cut_after(path, summary)
    assert not path.exists() if change == "gone" else path.read_bytes() == other[change]
