"""Every run and every score, in one SQLite file under runs/.

schema.py       the tables, and how an older file becomes a newer one
database.py     Ledger: runs and submissions written and read, by several processes at once
diff.py         what changed between two runs, and whether the difference is more than chance
listing.py      the ledger as rows to sort, filter and print
mlflow.py       the same runs in an MLflow store
"""

from pipeline.runs.ledger.database import Ledger, Run, Submission

__all__ = ["Ledger", "Run", "Submission"]
