"""How well, and how surely: grids of predictions, statistics, robustness, leakage, ensemble weights."""
