"""Inkproof: a Kaggle pipeline for pictures in rows, with a neural network written from scratch."""

__version__ = "0.1.0"
