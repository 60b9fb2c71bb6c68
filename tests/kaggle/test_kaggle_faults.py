"""Credentials, the client's ways to fail, and what is never repeated."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kaggle_archive import KEY
from kaggle_server import Fault

from pipeline.errors import KaggleError
from pipeline.kaggle import client as module
from pipeline.kaggle.client import Limits, Outcome, client_command, read_json, run_client
from pipeline.kaggle.faults import Kind, kind_of, redact
from pipeline.kaggle.submit import list_submissions

REPOSITORY = Path(__file__).parents[2]


def test_without_credentials_the_three_ways_to_sign_in(server, home):
    with pytest.raises(KaggleError) as caught:
        list_submissions("digit-recognizer", Limits(call=20))
    lines = str(caught.value).splitlines()
    assert len(lines) == 5
    assert "auth login" in lines[1]
    assert "access_token" in lines[2]
    assert "kaggle.json" in lines[3]
    assert "openml" in lines[4]
    assert server.calls == []


@pytest.mark.parametrize("text", ["{", "[]", '{"username": "stub"}'])
def test_a_malformed_kaggle_json_is_named(server, home, text):
    (home / ".kaggle").mkdir()
    (home / ".kaggle" / "kaggle.json").write_text(text)
    (home / ".kaggle" / "kaggle.json").chmod(0o600)
    with pytest.raises(KaggleError, match=r"kaggle\.json does not hold .* as JSON; sign in"):
        list_submissions("digit-recognizer", Limits(call=20))


@pytest.mark.parametrize("status", [401, 500])
def test_a_token_that_cannot_be_checked(server, home, monkeypatch, status):
    monkeypatch.setenv("KAGGLE_API_TOKEN", KEY)
    call = "http://localhost/api/v1/security.OAuthService/IntrospectToken"
    server.faults[call] = Fault(status)
    with pytest.raises(KaggleError) as caught:
        list_submissions("digit-recognizer", Limits(call=20))
    words = "credentials in KAGGLE_API_TOKEN" if status == 401 else "on Kaggle's side"
    assert words in str(caught.value)
    assert "Traceback" not in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_server_that_is_not_there(home, monkeypatch, signed_in):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(KaggleError, match="connection broke"):
        list_submissions("digit-recognizer", Limits(call=20))


def test_a_stalled_question_is_given_up(server, signed_in, patience):
    server.faults["ListSubmissions"] = Fault("stall")
    with pytest.raises(KaggleError, match="did not answer in time"):
        list_submissions("digit-recognizer", Limits(call=patience))


def test_waiting_is_told(server, signed_in, monkeypatch):
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.2)
    server.faults["ListSubmissions"] = Fault("stall")
    said = []
    run_client(["competitions", "submissions", "digit-recognizer"], time_limit=1, on_wait=said.append)
    assert len(said) >= 2 and said[0].startswith("Waiting for Kaggle's answer, 0 s so far; given up after 1 s")


def test_a_client_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(KaggleError, match="pip install kaggle six"):
        client_command()


def test_the_client_ends_when_its_parent_is_killed(server, signed_in):
    server.faults["ListSubmissions"] = Fault("stall")
    code = (
        f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n"
        "from pipeline.kaggle.client import Limits\n"
        "from pipeline.kaggle.submit import list_submissions; list_submissions('digit-recognizer', Limits(call=60))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) as parent:
        assert server.stalled.wait(300)
        parent.kill()
    # The server's side of the connection ends only when the client is gone.
    assert server.hung_up.wait(300)


@pytest.mark.parametrize(
    ("code", "out", "err", "kind"),
    [
        (0, "[]", "", None),
        (None, "", "", Kind.STALLED),
        # 2.2.4 says both of these with exit code 0.
        (0, "Could not submit to competition", "", Kind.UPLOAD),
        (0, "Could not find competition - please verify", "", Kind.NOT_FOUND),
        # 2.2.5 appends a hint that names another status's words.
        (1, "", "403 Client Error: Forbidden for url: http://x\n\nYou don't have access", Kind.FORBIDDEN),
        (1, "", "502 Server Error: Bad Gateway for url: http://x", Kind.SERVICE),
        (1, "", "something new", Kind.OTHER),
    ],
)
def test_kind(code, out, err, kind):
    assert kind_of(Outcome(code, out, err)) is kind


def test_json_is_found_below_other_lines():
    assert read_json('Next Page Token = 7\n[\n  {"a": 1}\n]') == [{"a": 1}]
    assert read_json("No submissions found") is None


@given(st.text(alphabet="0123456789abcdefABCDEF_-", min_size=24, max_size=64))
@example(KEY)
def test_what_looks_like_a_key_is_taken_out(key):
    assert key not in redact(f"401 for Basic {key}, and again {key} at https://storage/x?sig={key}")


def test_a_short_key_is_taken_out_as_well(monkeypatch):
    monkeypatch.setenv("KAGGLE_KEY", "hunter2")
    assert redact("wrong password: hunter2!") == "wrong password: (key)!"


def test_our_package_never_imports_the_client():
    code = (
        "import pkgutil, importlib, sys, pipeline\n"
        "for found in pkgutil.walk_packages(pipeline.__path__, 'pipeline.', onerror=lambda name: None):\n"
        "    try:\n"
        "        importlib.import_module(found.name)\n"
        "    except ImportError:\n"  # of an extra that is not installed
        "        pass\n"
        "assert {'pipeline.kaggle.submit', 'pipeline.cli.submit', 'pipeline.runs.ledger.mlflow'} <= set(sys.modules)\n"
        "assert not [name for name in sys.modules if name.startswith(('kaggle', 'mlflow'))]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)
