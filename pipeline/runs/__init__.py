"""What was run and how it scored: the run folder and the ledger."""
