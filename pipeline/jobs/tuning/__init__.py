"""Hyperparameter search: Optuna proposes a recipe's settings, folds judge them.

search.py     the plan: rows, folds, trials until there are enough, the best as a new recipe
trial.py      one trial: a recipe's accuracy over the folds, epoch by epoch, in any process
study.py      Optuna's study: where it is stored, what proposes, what prunes, what was left unfinished
workers.py    trials until there are as many as wanted, in one process, several, or on a cluster
results.py    the best trial, its gain on the recipe, what choosing it is worth
artifacts.py  the new recipe, the table of all trials, the figures, the record
table.py      what the terminal shows; figures.py, settings_figures.py: the figures
"""
