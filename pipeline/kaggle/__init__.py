"""Kaggle from end to end, through its own client as a subprocess.

    client.py       the client started, listened to, stopped at a limit
    faults.py       what its failures mean, each in one sentence
    fetch.py        the competition's files into data/
    openml.py       MNIST for who has no Kaggle account
    submit.py       a submission made once, confirmed, and its score
    leaderboard.py  where the score stands

The client is never imported: importing it signs in, prints, and asks a server without a time limit.
"""
