"""Draws points with a line for each subject, {subject: [[x, y], ...]} on standard input.

plot.py FILE TITLE          recall against queries a second
plot.py FILE TITLE sizes    titles against microseconds
"""

import json
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

figure, axes = plt.subplots(figsize=(7, 4.2), dpi=110)
for subject, points in json.load(sys.stdin).items():
    points.sort()
    style = {"linewidth": 2.4, "color": "black"} if subject == "marquee" else {"linewidth": 1.3}
    axes.plot([x for x, _ in points], [y for _, y in points], marker="o", markersize=4, label=subject, **style)
axes.set_yscale("log")
if sys.argv[3:] == ["sizes"]:
    axes.set_xscale("log")
    axes.set_xlabel("titles")
    axes.set_ylabel("µs a query at p50, one thread")
else:
    axes.set_xlabel("recall")
    axes.set_ylabel("queries a second, one thread")
axes.set_title(sys.argv[2])
axes.grid(True, which="both", alpha=0.25)
axes.legend()
figure.tight_layout()
figure.savefig(sys.argv[1])
