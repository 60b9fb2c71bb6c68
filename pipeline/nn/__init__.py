"""The neural network, from scratch: nothing in here but NumPy, and nothing in here knows of digits or files."""
