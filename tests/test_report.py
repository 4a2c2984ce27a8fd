"""The report of a finished run: its numbers, and a chart that tells the truth in characters."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_adaptive.journal.ledger import LedgerSummary, Point
from trio_adaptive.service.report import ASCII, BLOCKS, MIN_WIDTH, draws_blocks, render_report


def run(*series, ended, **amounts):
    """The summary of a run whose workers were these; `ended` is the time of its end."""
    seconds = dict.fromkeys(("starting", "busy", "idle", "leaving"), 0.0)
    for point, after in zip(series, [*series[1:], Point(ended)], strict=True):
        for use in seconds:
            seconds[use] += (after.at - point.at) * getattr(point, use)
    peak = max((point.paid for point in series), default=0)
    return LedgerSummary(series[0].at, ended, **seconds, peak=peak, series=series, **amounts)


BURSTS = run(
    Point(100),
    Point(110, starting=4),
    Point(115, busy=4),
    Point(130, busy=1, idle=3),
    Point(140, idle=1, leaving=3),
    Point(145, idle=1),
    Point(160),
    ended=200,
    starts=4,
    stops=3,
)


def rows_of(report, pen=BLOCKS):
    """The rows of the chart from the top, as (label, columns) with the columns at full width."""
    rows = [line.split(pen.axis, 1) for line in report.splitlines() if pen.axis in line]
    axis = next(line for line in report.splitlines() if line.lstrip().startswith(pen.corner))
    room = len(axis.lstrip()) - 1
    return [(int(label), columns.ljust(room)) for label, columns in rows]


def sum_of(report, name):
    """The words after a name in the sums below the chart."""
    line = next(line for line in report.splitlines() if line.strip().startswith(name))
    return line.strip().removeprefix(name).split()


class TestSums:
    def test_tell_what_was_paid_and_for_what(self):
        report = render_report(BURSTS)

        assert sum_of(report, "Paid") == ["155.0", "worker-seconds"]
        assert sum_of(report, "busy ") == ["70.0", "45", "%"]
        assert sum_of(report, "idle ") == ["50.0", "32", "%"]
        assert sum_of(report, "leaving ") == ["15.0", "10", "%"]
        assert sum_of(report, "starting ") == ["20.0", "13", "%"]

    def test_compare_with_workers_that_cost_only_what_they_do(self):
        assert sum_of(render_report(BURSTS), "Ideal") == ["70.0", "paid", "is", "2.21", "times", "that"]
        idle = render_report(run(Point(0, idle=1), ended=3))
        assert sum_of(idle, "Ideal") == ["0.0", "nothing", "was", "done"]

    def test_compare_with_a_fixed_cluster_of_the_peak_size(self):
        report = render_report(BURSTS)

        assert sum_of(report, "Fixed size") == ["400.0", "for", "4", "workers", "throughout"]
        assert sum_of(report, "Saved") == ["245.0", "61", "%"]

    def test_count_units(self):
        report = render_report(run(Point(0, busy=1), ended=3, found=1, starts=1204))

        assert sum_of(report, "Peak") == ["1", "worker"]
        assert sum_of(report, "Found") == ["1", "unit", "at", "the", "beginning"]
        assert sum_of(report, "Started") == ["1,204", "units"]
        assert sum_of(report, "Stopped") == ["0", "units"]
        assert "Found" not in render_report(BURSTS)

    def test_amounts_end_in_one_column(self):
        lines = render_report(BURSTS).splitlines()
        first = next(number for number, line in enumerate(lines) if line.startswith("Paid"))
        amounts = lines[first : first + 8]

        assert len({line.index(".") for line in amounts}) == 1

    def test_a_share_too_small_to_round_is_not_nothing(self):
        assert "<1 %" in render_report(run(Point(0, starting=1), Point(1, busy=1), ended=1000))

    @pytest.mark.parametrize(
        ("seconds", "words"),
        [
            (41.25, "41.2 s"),
            (125, "2 min 5 s"),
            (7200, "2 h"),
            (3 * 86400 + 7200, "3 d 2 h"),
            (59.99, "60.0 s"),
        ],
    )
    def test_durations_are_for_people(self, seconds, words):
        report = render_report(run(Point(0, busy=1), ended=seconds))

        assert report.startswith(f"Workers over {words}\n")
        assert report.endswith(f"Duration    {words}")


class TestChart:
    def test_a_row_is_a_worker_while_they_are_few(self):
        rows = rows_of(render_report(BURSTS))

        assert [label for label, _ in rows] == [4, 3, 2, 1]

    def test_shows_each_use_when_and_as_high_as_it_was(self):
        rows = dict(rows_of(render_report(BURSTS, width=105)))  # a column for each second

        assert rows[4] == " " * 10 + "·" * 5 + "█" * 15 + "░" * 10 + "▒" * 5 + " " * 55
        assert rows[3] == rows[2] == rows[4]
        assert rows[1] == " " * 10 + "·" * 5 + "█" * 25 + "░" * 20 + " " * 40

    @pytest.mark.parametrize(
        ("peak", "labels"),
        [
            (1, [1]),
            (6, [6, 5, 4, 3, 2, 1]),
            (7, [8, 6, 4, 2]),
            (16, [18, 15, 12, 9, 6, 3]),
            (200, [200, 160, 120, 80, 40]),
            (1001, [1200, 1000, 800, 600, 400, 200]),
        ],
    )
    def test_many_workers_share_round_rows(self, peak, labels):
        rows = rows_of(render_report(run(Point(0, busy=peak), ended=60)))

        assert [label for label, _ in rows] == labels

    def test_a_busy_top_is_drawn_in_part(self):
        rows = dict(rows_of(render_report(run(Point(0, busy=200), Point(30, busy=60), ended=60))))

        assert set(rows[200].strip()) == {"█"}
        assert rows[80].strip("█") == "▄" * (len(rows[80]) // 2)

    def test_a_short_burst_in_a_long_run_reaches_its_height(self):
        report = render_report(run(Point(0, idle=1), Point(1800, busy=4), Point(1801, idle=1), ended=86400))

        rows = dict(rows_of(report))
        assert rows[4].strip() == rows[2].strip() == "█"
        assert set(rows[1]) == {"░"}  # for most of that column's time

    def test_a_peak_at_the_very_end_is_drawn(self):
        report = render_report(run(Point(0, busy=1), Point(60, busy=4), ended=60))

        assert dict(rows_of(report))[4].rstrip().endswith("█")

    @pytest.mark.parametrize(
        ("seconds", "labels"),
        [
            (0.5, ["0s", "0.1s", "0.2s", "0.3s", "0.4s"]),
            (41, ["0s", "5s", "10s", "15s", "20s", "25s", "30s", "35s", "40s"]),
            (400, ["0s", "1m", "2m", "3m", "4m", "5m", "6m"]),
            (4 * 3600, ["0s", "30m", "1h", "1h30m", "2h", "2h30m", "3h", "3h30m"]),
            (9 * 86400, ["0s", "2d", "4d", "6d", "8d"]),
        ],
    )
    def test_the_axis_has_round_times_below_their_columns(self, seconds, labels):
        lines = render_report(run(Point(0, busy=1), ended=seconds), width=80).splitlines()
        number = next(number for number, line in enumerate(lines) if line.lstrip().startswith("└"))
        axis, times = lines[number], lines[number + 1]

        assert times.split() == labels
        begins = [at for at, character in enumerate(times) if character != " " and times[at - 1] == " "]
        ticks = [at for at, character in enumerate(axis) if character == "┬"]
        assert begins[1:] == [at - 1 for at in ticks]

    def test_the_legend_names_what_was_seen_and_no_more(self):
        report = render_report(run(Point(0, starting=1), Point(5, busy=1), ended=10))

        assert "    █ busy  · starting\n" in report
        assert "░" not in report


class TestEdges:
    def test_no_worker_at_all(self):
        assert render_report(LedgerSummary()) == "No worker ran in 0.0 s."
        assert render_report(run(Point(0), ended=75)) == "No worker ran in 1 min 15 s."

    def test_a_run_of_no_length_has_no_chart(self):
        report = render_report(run(Point(5, busy=3), ended=5))

        assert "┤" not in report
        assert sum_of(report, "Peak") == ["3", "workers"]

    def test_ascii_says_the_same(self):
        blocks, ascii_ = render_report(BURSTS), render_report(BURSTS, unicode=False)

        assert ascii_.isascii()
        translation = str.maketrans("█░▒·┤└─┬", "#-x.|+-+")
        assert ascii_ == blocks.translate(translation)

    def test_ascii_draws_part_of_a_row_too(self):
        report = render_report(run(Point(0, busy=200), Point(30, busy=50), ended=60), unicode=False)

        assert set(dict(rows_of(report, ASCII))[80]) == {"#", "_"}

    @pytest.mark.parametrize(
        ("encoding", "able"), [("utf-8", True), ("cp437", False), ("ascii", False), ("latin-1", False)]
    )
    def test_blocks_are_for_streams_that_can_write_them(self, encoding, able):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)

        assert draws_blocks(stream) is able

    def test_a_stream_without_an_encoding_gets_ascii(self):
        assert not draws_blocks(io.StringIO())


counts = st.integers(0, 3000)
points = st.builds(Point, st.integers(0, 1_000_000), counts, counts, counts, counts)


@given(
    st.lists(points, min_size=1, max_size=20, unique_by=lambda point: point.at), st.floats(0, 1e7), st.data()
)
def test_no_line_is_wider_than_asked(series, lasted, data):
    series = sorted(series, key=lambda point: point.at)
    width, unicode = data.draw(st.integers(MIN_WIDTH, 140)), data.draw(st.booleans())
    summary = run(*series, ended=series[-1].at + lasted)
    report = render_report(summary, width=width, unicode=unicode)

    assert max(map(len, report.splitlines())) <= width
    assert not any(line.endswith(" ") for line in report.splitlines())
    if summary.peak and summary.duration:
        rows = rows_of(report, BLOCKS if unicode else ASCII)
        assert len(rows) <= 6
        assert any(line.strip() for _, line in rows)
