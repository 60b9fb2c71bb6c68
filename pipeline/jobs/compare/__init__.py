"""The comparison: ways of training × test conditions, on the same held-out rows."""
