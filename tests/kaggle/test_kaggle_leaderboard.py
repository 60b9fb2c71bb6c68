"""Where a score stands, from the real client's pages."""

from __future__ import annotations

import pytest

from pipeline.kaggle import leaderboard
from pipeline.kaggle.leaderboard import standing


def mine(server, *scores):
    server.submissions = [
        {"ref": i, "date": "2026-01-31T12:00:00Z", "fileName": "s.csv", "description": f"try {i}",
         "status": "COMPLETE", "publicScore": f"{score:.5f}"} for i, score in enumerate(scores)
    ]  # fmt: skip
    server.pending_looks = 1_000


@pytest.mark.parametrize(("score", "place"), [(1.0, 1), (0.98, 3), (0.5, 5)])
def test_place(server, signed_in, ledger, limits, score, place):
    # The leaderboard: 0.99942, 0.99, 0.98, 0.97, two teams a page.
    mine(server, 0.4, score)
    found = standing("digit-recognizer", ledger, limits=limits)
    assert (found.best.message, found.place) == ("try 1", place)
    assert found.first == 0.99942


def test_below_what_is_read(server, signed_in, ledger, limits, monkeypatch):
    monkeypatch.setattr(leaderboard, "PAGES", 1)
    mine(server, 0.5)
    found = standing("digit-recognizer", ledger, limits=limits)
    assert (found.place, found.teams, found.last) == (None, 2, 0.99)


def test_a_competition_in_which_less_is_better(server, signed_in, ledger, limits):
    server.leaderboard = [0.1, 0.2, 0.3, 0.4]
    mine(server, 0.25, 0.9)
    found = standing("digit-recognizer", ledger, limits=limits)
    assert (found.best.public_score, found.place) == (0.25, 3)


def test_without_a_submission(server, signed_in, ledger, limits):
    found = standing("digit-recognizer", ledger, limits=limits)
    assert (found.best, found.place, found.first) == (None, None, 0.99942)


def test_scores_that_came_late_are_written_down(server, signed_in, ledger, limits):
    ledger.add_submission("inkproof-1", "digit-recognizer", "s.csv", "hash", "late")
    mine(server, 0.985)
    server.submissions[0]["description"] = "late [inkproof-1]"
    standing("digit-recognizer", ledger, limits=limits)
    assert [(one.status, one.public_score) for one in ledger.submissions()] == [("complete", 0.985)]
