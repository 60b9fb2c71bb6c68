"""Where a score stands on a competition's public leaderboard."""

import re
from dataclasses import dataclass

from pipeline.kaggle.client import LIMITS, Limits, read_json
from pipeline.kaggle.faults import call
from pipeline.kaggle.submit import Listed, list_submissions, record_scores
from pipeline.runs.ledger import Ledger

PAGE_SIZE = 200
PAGES = 25  # 5,000 teams: below that, a place says little


@dataclass(frozen=True)
class Standing:
    """Your best submission and its place: `place` None where it is below the `teams` that were read.

    first, last: the best score on the leaderboard and the lowest that was read.
    """

    best: Listed | None
    place: int | None
    teams: int
    first: float | None
    last: float | None


def standing(slug: str, ledger: Ledger, *, limits: Limits = LIMITS) -> Standing:
    """Read your submissions and the leaderboard from its top until your score is reached.

    Which direction is better is read from the leaderboard's own order. Scores that the ledger does not
    know yet are written into it. Raises KaggleError.
    """
    listed = list_submissions(slug, limits)
    record_scores(slug, listed, ledger)
    mine = [one for one in listed if one.public_score is not None]
    scores: list[float] = []
    token = ""
    for _ in range(PAGES):
        page, token = _page(slug, token, limits)
        scores += page
        best = _best(mine, scores)
        if not token or not page or (best and _is_better(best.public_score, scores[-1], scores)):
            break
    best = _best(mine, scores)
    ahead = [score for score in scores if best and _is_better(score, best.public_score, scores)]
    place = len(ahead) + 1 if best and (len(ahead) < len(scores) or not token) else None
    return Standing(best, place, len(scores), scores[0] if scores else None, scores[-1] if scores else None)


def _best(mine: list[Listed], scores: list[float]) -> Listed | None:
    rises = bool(scores) and scores[0] < scores[-1]
    return (min if rises else max)(mine, key=lambda one: one.public_score, default=None)


def _is_better(score: float, than: float, scores: list[float]) -> bool:
    return score < than if scores[0] < scores[-1] else score > than


def _page(slug: str, token: str, limits: Limits) -> tuple[list[float], str]:
    """The scores of one page, and the token of the next ('' at the end)."""
    command = ["competitions", "leaderboard", slug, "--show", "--format", "json"]
    more = ["--page-token", token] if token else []
    words = [*command, "--page-size", str(PAGE_SIZE), *more]
    doing = f"Reading the leaderboard of {slug}"
    outcome = call(words, slug, doing=doing, time_limit=limits.call, on_wait=limits.on_wait)
    found = re.search(r"^Next Page Token = (\S+)$", outcome.out, re.MULTILINE)
    rows = read_json(outcome.out) or []
    return [float(row["score"]) for row in rows if row["score"]], found.group(1) if found else ""
