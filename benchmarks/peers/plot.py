"""The results as a picture: ratios against each peer, and growth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

from benchmarks.peers.growth import FEWEST
from benchmarks.peers.results import Results, Spread, cost_ratio, speed_ratio

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
            speeds.append(speed_ratio(outcome.lines[0].windows, theirs.windows))
            costs.append(cost_ratio(outcome.lines[0].windows, theirs.windows))
    figure, (left, right) = plt.subplots(1, 2, figsize=(15, max(4.0, 0.33 * len(titles) + 1.5)), width_ratios=(3, 2))
    places = range(len(titles))
    for offset, spreads, color, name in (
        (-0.2, speeds, SPEED, "requests per second"),
        (0.2, costs, COST, "processor time"),
    ):
        middles = [place + offset for place in places]
        medians = [one.median for one in spreads]
        left.barh(middles, medians, 0.38, xerr=_errors(spreads), color=color, label=name)
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
    for asked in steps[0].beside if steps else ():
        spreads = [speed_ratio(step.hits[asked], step.beside[asked]) for step in steps]
        medians = [one.median for one in spreads]
        axes.errorbar([step.size for step in steps], medians, _errors(spreads), marker="o", capsize=3, label=asked)
    axes.axhline(1.0, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("entries stored")
    axes.set_title(f"hits per second as the store grows : with {FEWEST:,} entries")
    axes.legend(fontsize=8)


def _errors(spreads: Sequence[Spread]) -> list[list[float]]:
    """How far down and how far up from each median."""
    return [[one.median - one.least for one in spreads], [one.most - one.median for one in spreads]]
