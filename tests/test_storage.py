"""Files are whole or not there."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import storage
from pipeline.errors import StorageError


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "new" / "a.txt"
    storage.write_text(path, "first\n")
    storage.write_text(path, "σ\n")
    assert path.read_bytes() == b"\xcf\x83\n"
    assert list(path.parent.iterdir()) == [path]


def test_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "submission.csv"
    path.write_text("old")

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError) as caught:
        storage.write_text(path, "new")
    assert str(caught.value) == (
        f"{path} could not be written (No space left on device): free some space or check the permissions of "
        f"{tmp_path}, then try again; what stood there before is unchanged."
    )
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_a_write_that_the_system_cuts_off(tmp_path):
    path = tmp_path / "submission.csv"
    path.write_text("old")
    code = (
        "import resource, signal, sys\n"
        "from pipeline import storage\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "storage.write_text(sys.argv[1], 'x' * 100_000)\n"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=root, capture_output=True, text=True)
    assert f"StorageError: {path} could not be written (File too large)" in done.stderr
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_error_in_the_block_leaves_nothing(tmp_path, error):
    with pytest.raises(error), storage.atomic_file(tmp_path / "a") as file:
        file.write(b"half")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(StorageError, match="could not be written"):
        storage.write_text(tmp_path / "a" / "b", "x")


def test_json_refuses_what_json_cannot_say(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        storage.write_json(tmp_path / "a.json", {"x": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_sha256_is_the_published_one(tmp_path):
    # FIPS 180-4, example "abc"
    published = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    (tmp_path / "abc").write_bytes(b"abc")
    assert storage.sha256_file(tmp_path / "abc") == published
    assert storage.sha256_bytes(b"abc") == published


def test_a_place_that_no_file_can_stand_at_is_told_and_nothing_is_left(tmp_path):
    storage.check_writable(tmp_path / "a" / "b" / "submission.csv")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    for path, reason in ((tmp_path, "Is a directory"), (tmp_path / "file" / "x.csv", "Not a directory")):
        with pytest.raises(StorageError, match=f"could not be written \\({reason}\\)"):
            storage.check_writable(path)
