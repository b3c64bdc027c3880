"""The results as a picture: ratios against each peer, and growth."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

from benchmarks.peers.results import Results, cost_ratio, speed_ratio

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

SPEED, COST = "#4477aa", "#ccbb44"


def draw(results: Results, path: Path) -> None:
    """Write the picture as PNG."""
    titles, speeds, costs = [], [], []
    for outcome in results.outcomes:
        for theirs in outcome.lines[1:]:
            titles.append(f"{outcome.title} : {theirs.label}")
            speeds.append(speed_ratio(outcome.lines[0], theirs))
            costs.append(cost_ratio(outcome.lines[0], theirs))
    figure, (left, right) = plt.subplots(1, 2, figsize=(15, max(4.0, 0.33 * len(titles) + 1.5)), width_ratios=(3, 2))
    places = range(len(titles))
    for offset, spreads, color, name in (
        (-0.2, speeds, SPEED, "requests per second"),
        (0.2, costs, COST, "processor time"),
    ):
        errors = [[one.median - one.least for one in spreads], [one.most - one.median for one in spreads]]
        medians = [one.median for one in spreads]
        left.barh([place + offset for place in places], medians, 0.38, xerr=errors, color=color, label=name)
    left.set_yticks(list(places), titles, fontsize=8)
    left.invert_yaxis()
    left.set_xscale("log")
    left.axvline(1.0, color="black", linewidth=1)
    left.set_title("Veneer to each peer (median, least to most); right of 1 is better")
    left.legend(fontsize=8)
    _growth(results, right)
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _growth(results: Results, axes: Axes) -> None:
    if results.growth is None:
        axes.set_axis_off()
        return
    steps = results.growth.entries
    for asked in steps[0].hits if steps else ():
        axes.plot([step.size for step in steps], [step.per_second(asked) for step in steps], marker="o", label=asked)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("entries stored")
    axes.set_title("hits per second as the store grows")
    axes.legend(fontsize=8)
