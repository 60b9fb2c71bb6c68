"""The drawing page and the JSON API behind it, for one person on one machine.

app.py           create_app: routes of the page, headers, every error as JSON
api.py           the API's routes
reading.py       a request's body → a picture as the network takes it
answers.py       a picture → what the API says of it
lab.py           one's own digit, shifted, turned, attacked and made noisy, before networks of every noise level
models.py        which networks are loaded, once
trainings.py     trainings that visitors start, each a process (trainer.py)
corrections.py   what visitors put right, in SQLite on this machine
scores.py        how many of those each network reads rightly
limits.py        how much, how large, how often
openapi.py       the API's description of itself
server.py        waitress: threads, a free port or a sentence
static/          the page: HTML, CSS and JavaScript as they are written, no build step
"""
