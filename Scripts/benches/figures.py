"""What a benchmark measured, and how it is printed."""

import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BEGIN = time.monotonic()


def progress(text):
    print(f"[{time.monotonic() - BEGIN:6.1f} s] {text}", file=sys.stderr, flush=True)


def version():
    """The commit measured, with + when files differ from it."""
    done = subprocess.run(["git", "describe", "--always", "--dirty=+"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def machine():
    """The processor and its cores, for the table."""
    text = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*:\s*(.*)", text)
    return f"{model.group(1) if model else 'unknown processor'}, {os.cpu_count()} cores"


class Figures:
    """Prints each figure as it comes (JSON) or all of them at the end (a table)."""

    def __init__(self, bench, as_json):
        self.bench, self.as_json = bench, as_json
        self.version = version()
        self.rows = []
        self.notes = []

    def add(self, case, metric, values, unit, subject="marquee", version=None):
        """`values`: one a run; the median counts, the spread is from the lowest to the highest."""
        values = list(values) if isinstance(values, (list, tuple)) else [values]
        row = {"bench": self.bench, "case": case, "subject": subject, "version": version or self.version,
               "metric": metric, "value": round(statistics.median(values), 4), "unit": unit, "runs": len(values),
               "spread": round(max(values) - min(values), 4)}
        self.rows.append(row)
        if self.as_json:
            print(json.dumps(row), flush=True)
        else:
            progress(f"{case} {subject} {metric}: {row['value']:g} {unit}")

    def note(self, text):
        """A line that the reader of the table needs; on standard error with --json."""
        self.notes.append(text)
        progress(text)

    def close(self):
        if self.as_json or not self.rows:
            return
        case, subject, metric = (max([len(row[key]) for row in self.rows] + [least])
                                 for key, least in [("case", 8), ("subject", 10), ("metric", 6)])
        print(f"\n{self.bench} · {self.version} · {machine()}")
        for note in self.notes:
            print(f"  {note}")
        print(f"\n{'case':<{case}} {'subject':<{subject}} {'metric':<{metric}} {'value':>12} {'unit':<12} {'runs':>4} "
              f"{'spread':>10}")
        for row in self.rows:
            print(f"{row['case']:<{case}} {row['subject']:<{subject}} {row['metric']:<{metric}} {row['value']:>12,.2f} "
                  f"{row['unit']:<12} {row['runs']:>4} {row['spread']:>10,.2f}")
