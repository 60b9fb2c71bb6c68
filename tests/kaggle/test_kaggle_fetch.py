"""Fetching with the real client from a server that behaves, and from one that does not."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from kaggle_archive import KEY, archive
from kaggle_server import SIGNATURE, Fault

from pipeline.errors import DataError, KaggleError
from pipeline.kaggle.client import Limits
from pipeline.kaggle.fetch import _safe_name, fetch

FETCHED = ["sample_submission.csv", "test.csv", "train.csv"]
NAMES = ["competition.txt", *FETCHED]
REPOSITORY = Path(__file__).parents[2]


def visible(folder: Path) -> list[str]:
    """What a reader of the data folder finds: names that do not begin with a dot."""
    return sorted(str(path.relative_to(folder)) for path in folder.glob("[!.]*")) if folder.exists() else []


def test_fetched_files_are_those_in_the_zip(server, signed_in, limits):
    fetched = fetch("digit-recognizer", "data", limits=limits)
    with zipfile.ZipFile(io.BytesIO(server.archive)) as opened:
        for name in FETCHED:
            assert Path("data", name).read_bytes() == opened.read(name)
    assert sorted(file.path.name for file in fetched if file.is_new) == FETCHED
    assert sorted(path.name for path in Path("data").iterdir()) == [".fetch.lock", *NAMES]


def test_fetching_again_changes_nothing(signed_in, limits):
    fetch("digit-recognizer", "data", limits=limits)
    assert not any(file.is_new for file in fetch("digit-recognizer", "data", limits=limits))


def test_the_clients_progress_is_handed_on(signed_in, limits):
    seen = []
    fetch("digit-recognizer", "data", limits=limits, on_progress=seen.append)
    assert seen
    assert "100%" in seen[-1]


def test_other_files_are_replaced_only_with_force(signed_in, limits):
    Path("data").mkdir()
    Path("data/train.csv").write_text("mine")
    with pytest.raises(DataError, match=r"train\.csv is there already .* --force"):
        fetch("digit-recognizer", "data", limits=limits)
    assert Path("data/train.csv").read_text() == "mine"
    assert visible(Path("data")) == ["train.csv"]
    fetch("digit-recognizer", "data", force=True, limits=limits)
    assert Path("data/train.csv").read_text().startswith("label,")


@pytest.mark.parametrize(
    ("status", "as_json", "words"),
    [
        (401, False, "refused the credentials in KAGGLE_USERNAME and KAGGLE_KEY"),
        (403, True, "https://www.kaggle.com/competitions/digit-recognizer/rules, verify your phone"),
        (404, True, "no open competition digit-recognizer"),
        (429, False, "wait some minutes"),
        (500, False, "on Kaggle's side"),
        (503, True, "on Kaggle's side"),
    ],
)
def test_a_refused_call_says_what_to_do(server, signed_in, limits, status, as_json, words):
    server.faults["DownloadDataFiles"] = Fault(status, as_json=as_json, headers={"Retry-After": "1"})
    with pytest.raises(KaggleError) as caught:
        fetch("digit-recognizer", "data", limits=limits)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert server.calls == ["DownloadDataFiles"], "a refused call must not be repeated"
    assert visible(Path("data")) == []


@pytest.mark.parametrize("status", [403, 503])
def test_a_refused_storage_address_is_not_repeated_in_the_message(server, signed_in, limits, status):
    server.faults["GET"] = Fault(status)
    with pytest.raises(KaggleError) as caught:
        fetch("digit-recognizer", "data", limits=limits)
    assert SIGNATURE not in str(caught.value)
    assert visible(Path("data")) == []


def test_mistyped_competition(server, signed_in, limits):
    with pytest.raises(KaggleError, match="no open competition digit-recogniser"):
        fetch("digit-recogniser", "data", limits=limits)


def test_a_broken_connection_is_resumed_by_the_client(server, signed_in, limits):
    server.faults["GET"] = Fault("reset", times=1)
    fetch("digit-recognizer", "data", limits=limits)
    assert server.ranges[0] is None
    assert server.ranges[1].startswith("bytes=")
    assert visible(Path("data")) == NAMES


def test_a_connection_that_keeps_breaking_ends_at_our_limit_and_resumes_later(server, signed_in, limits, patience):
    # The client writes in pieces of 1 MiB: only a bundle of several leaves something to resume.
    server.archive = archive(**{"more.txt": np.random.default_rng(0).bytes(3_000_000).hex()})
    server.faults["GET"] = Fault("reset")
    with pytest.raises(KaggleError, match="type the command again"):
        fetch("digit-recognizer", "data", limits=Limits(download=patience))
    assert visible(Path("data")) == []
    server.faults.clear()
    server.ranges.clear()
    fetch("digit-recognizer", "data", limits=limits)
    assert len(server.ranges) == 2
    assert int(server.ranges[1].removeprefix("bytes=").rstrip("-")) >= 1 << 20, "nothing was resumed"
    assert visible(Path("data")) == ["competition.txt", "more.txt", *FETCHED]


@pytest.mark.parametrize("call", ["DownloadDataFiles", "GET"])
def test_a_stalled_server_is_given_up(server, signed_in, call, patience):
    server.faults[call] = Fault("stall")
    started = time.monotonic()
    with pytest.raises(KaggleError, match="did not answer in time"):
        fetch("digit-recognizer", "data", limits=Limits(silence=patience))
    assert time.monotonic() - started < patience + 30
    assert server.stalled.is_set()
    assert visible(Path("data")) == []


def corrupt(content: bytes) -> bytes:
    """The same size, one byte in the middle of the first member's stream changed."""
    return content[:200] + bytes([content[200] ^ 0xFF]) + content[201:]


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], corrupt])
def test_a_damaged_zip_is_fetched_once_more(server, signed_in, limits, damage):
    server.archives = [damage(server.archive), server.archive]
    fetch("digit-recognizer", "data", limits=limits)
    assert server.calls.count("GET") == 2
    assert visible(Path("data")) == NAMES


def test_a_zip_that_stays_damaged_leaves_nothing_behind(server, signed_in, limits):
    whole, server.archive = server.archive, corrupt(server.archive)
    with pytest.raises(KaggleError, match=r"came damaged twice .* was removed"):
        fetch("digit-recognizer", "data", limits=limits)
    assert not list(Path("data").rglob("*.zip*"))
    assert visible(Path("data")) == []
    server.archive = whole
    fetch("digit-recognizer", "data", limits=limits)
    assert visible(Path("data")) == NAMES


def test_a_corrupt_zip_of_the_right_size_from_before_is_not_skipped_for_ever(server, signed_in, limits):
    staging = Path("data/.fetch-digit-recognizer")
    staging.mkdir(parents=True)
    (staging / "digit-recognizer.zip").write_bytes(corrupt(server.archive))
    fetch("digit-recognizer", "data", limits=limits)
    assert visible(Path("data")) == NAMES


def test_a_zip_without_test_rows(server, signed_in, limits):
    server.archive = archive(**{"test.csv": None})
    with pytest.raises(KaggleError, match=r"test\.csv is not in it"):
        fetch("digit-recognizer", "data", limits=limits)


def test_a_member_that_points_out_of_the_folder(server, signed_in, limits, tmp_path):
    server.archive = archive(**{"../evil.csv": "x"})
    with pytest.raises(KaggleError, match="points out of the data folder"):
        fetch("digit-recognizer", "data", limits=limits)
    assert visible(Path("data")) == []
    assert not list(tmp_path.rglob("evil.csv"))


@pytest.mark.parametrize("name", ["/evil.csv", "C:/evil.csv", "a/../../evil.csv", r"..\evil.csv"])
def test_names_that_point_out_of_the_folder(name):
    with pytest.raises(KaggleError, match="points out of the data folder"):
        _safe_name(zipfile.ZipInfo(name), Path("a.zip"))


def test_a_link_is_not_unpacked():
    member = zipfile.ZipInfo("link.csv")
    member.external_attr = 0o120777 << 16
    with pytest.raises(KaggleError, match="points out of the data folder"):
        _safe_name(member, Path("a.zip"))


def test_two_fetches_at_once(server, signed_in, limits):
    server.faults["GET"] = Fault("stall", times=1)
    first = start_fetch()
    assert server.stalled.wait(300)
    with pytest.raises(KaggleError, match="Another fetch into data is under way"):
        fetch("digit-recognizer", "data", limits=limits)
    first.kill()
    first.wait()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_in_the_middle_and_typed_again(server, signed_in, limits, how):
    server.faults["GET"] = Fault("stall", times=1)
    first = start_fetch()
    assert server.stalled.wait(300)
    first.send_signal(how)
    first.wait(300)
    assert visible(Path("data")) == []
    fetch("digit-recognizer", "data", limits=limits)
    assert visible(Path("data")) == NAMES


def start_fetch() -> subprocess.Popen:
    code = "from pipeline.kaggle.fetch import fetch; fetch('digit-recognizer', 'data')"
    return subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); {code}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_the_key_is_nowhere(server, signed_in, limits, tmp_path, capfd):
    server.archives = [corrupt(server.archive), server.archive]
    fetch("digit-recognizer", "data", limits=limits)
    server.faults["DownloadDataFiles"] = Fault(403)
    with pytest.raises(KaggleError) as caught:
        fetch("digit-recognizer", "data", limits=limits)
    shown = capfd.readouterr()
    assert KEY not in shown.out + shown.err + str(caught.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
