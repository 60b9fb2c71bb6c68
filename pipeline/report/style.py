"""One look for every figure: the same colour and marker for the same model everywhere."""

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


def cell_colours(share: float) -> tuple[str, str]:
    """Background and ink, as #rrggbb, of a table's cell that shows an accuracy from 0 to 1.

    The background is of cividis (Nuñez, Anderton, Renslow 2018), which colour-blind eyes read as others do; the
    ink is black or white, whichever has the higher contrast (WCAG 2.2, relative luminance).
    """
    import matplotlib
    from matplotlib.colors import to_hex

    colour = matplotlib.colormaps["cividis"](share)
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3])
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    # Equal contrast with black and white: (L + 0.05)² = 1.05 · 0.05.
    return to_hex(colour), "#000000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#ffffff"
