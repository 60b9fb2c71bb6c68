"""One look for every figure: the same colour and marker for the same model everywhere."""

from __future__ import annotations

from typing import Any

# Okabe & Ito, Color Universal Design (2008), told apart with every common colour blindness. Yellow is
# left out, because it vanishes on white; grey takes its place.
COLOURS = ("#000000", "#E69F00", "#0072B2", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#7F7F7F")
# Nine markers to eight colours: with more than eight models, no two share both.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")

RC: dict[str, Any] = {
    # The first of these comes with matplotlib; a browser that opens the SVG elsewhere takes the next it has.
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.8,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "lines.linewidth": 1.8,
    "lines.markersize": 6,
    "figure.facecolor": "white",
    "savefig.dpi": 150,
    "svg.fonttype": "none",  # text stays text: it can be searched, copied and read aloud
    "svg.hashsalt": "inkproof",  # else the ids in the file are drawn at random
}


def look(index: int) -> dict[str, str]:
    """Colour and marker of the model at position `index` of its comparison, as plotting keywords."""
    return {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)]}
