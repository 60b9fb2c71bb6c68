"""What a command runs: the main job, comparison, cross-validation and search."""
