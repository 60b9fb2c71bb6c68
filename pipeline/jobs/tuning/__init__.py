"""Hyperparameter search: Optuna proposes a recipe's settings, folds judge them.

search.py     the plan: rows, folds, trials until there are enough, the best as a new recipe
trials.py     a recipe's accuracy over the folds; as many trials as wanted, here, in processes, or on a cluster
study.py      Optuna's study: where it is stored, what proposes, what prunes, what was left unfinished
results.py    the best trial, its gain on the recipe, what choosing it is worth
artifacts.py  the new recipe, the table of all trials, the record; figures.py: the figures
table.py      what the terminal shows
"""
