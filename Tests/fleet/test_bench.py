"""The benchmark runs, and says what the acceptance list wants said, in the form that it wants."""

import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
KEYS = ["bench", "case", "subject", "version", "metric", "value", "unit", "runs", "spread"]
METRICS = {"rank_per_second_max", "p50_ms_at_70", "p99_ms_at_70", "p999_ms_at_70", "p99_ms_steady", "p99_ms_cutover",
           "failed_calls", "rss_mb", "cpu_us_per_rank", "stage_us_retrieval", "ready_ms", "publish_bytes_percent"}


def test_bench_rank_prints_a_figure_a_line(tmp_path):
    done = subprocess.run([ROOT / "Scripts/bench", "rank", "--quick", "--json", "--titles", "5000"], text=True, timeout=240,
                          capture_output=True, env={**os.environ, "MARQUEE_BENCH_DATA": str(tmp_path)})
    assert done.returncode == 0, done.stderr[-3000:]
    figures = {}
    for line in done.stdout.splitlines():
        figure = json.loads(line)
        assert list(figure) == KEYS
        assert (figure["bench"], figure["case"], figure["subject"]) == ("rank", "5k", "marquee")
        figures[figure["metric"]] = figure["value"]
    print(figures)
    assert METRICS <= set(figures)
    assert figures["failed_calls"] == 0
    assert all(figures[metric] > 0 for metric in METRICS - {"failed_calls"})


def test_a_benchmark_that_is_not_there_is_a_usage_error():
    done = subprocess.run([ROOT / "Scripts/bench", "nothing"], capture_output=True, text=True)
    assert done.returncode == 2 and "nothing" in done.stderr
