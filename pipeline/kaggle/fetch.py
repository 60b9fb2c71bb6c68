"""A competition's files into the data folder: fetched, proved whole, unpacked, put into place.

Everything happens in a staging folder beside the target; only files that are whole are renamed into it.
The staging folder stays after a failure, so that the client can go on where it stopped.
"""

import shutil
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.dataset.slug import write_mark
from pipeline.errors import DataError, KaggleError
from pipeline.kaggle.client import LIMITS, Limits
from pipeline.kaggle.faults import call
from pipeline.storage import FileLock, atomic_file, sha256_file

REQUIRED = ("train.csv", "test.csv")
# Stands beside files that are not Kaggle's own, whose predictions Kaggle cannot score.
OTHER_SPLIT_NOTE = "NOT-KAGGLES-SPLIT.txt"


@dataclass(frozen=True)
class Fetched:
    """A file in the data folder: its path, its size in bytes, and whether it is other than before."""

    path: Path
    size: int
    is_new: bool


def fetch(
    slug: str,
    folder: Path | str,
    *,
    force: bool = False,
    limits: Limits = LIMITS,
    on_progress: Callable[[str], None] | None = None,
) -> list[Fetched]:
    """Fetch the files of competition `slug` into `folder`.

    The folder then knows its competition (pipeline.dataset.slug). A file that is there with other contents is
    replaced only with `force`. on_progress gets the client's progress bar as text. Raises KaggleError when the files
    cannot be had whole, DataError when `folder` holds other files, StorageError when the disk refuses.
    """
    folder = Path(folder)
    lock = FileLock(folder / ".fetch.lock")
    if not lock.acquire():
        raise KaggleError(f"Another fetch into {folder} is under way: wait for it, or name another --data.")
    staging = folder / f".fetch-{slug}"
    try:
        archive = staging / f"{slug}.zip"
        _download(slug, staging, archive, limits, on_progress)
        fetched = _place(_unpack(archive, staging / "unpacked"), folder, force)
        (folder / OTHER_SPLIT_NOTE).unlink(missing_ok=True)
        write_mark(folder, slug)
        shutil.rmtree(staging, ignore_errors=True)
        return fetched
    finally:
        lock.release()


def _download(
    slug: str, staging: Path, archive: Path, limits: Limits, on_progress: Callable[[str], None] | None
) -> None:
    """Bring a whole archive to `archive`. A broken one is fetched again once, from the beginning."""
    for again in (False, True):
        words = ["competitions", "download", slug, "-p", str(staging), *(["--force"] if again else [])]
        how = {"time_limit": limits.download, "silence_limit": limits.silence}
        call(words, slug, doing=f"Fetching {slug}", **how, on_progress=on_progress, on_wait=limits.on_wait)
        # Exit 0 does not say that the file is whole, nor that it was fetched and not "skipped".
        complaint = _complaint(archive)
        if complaint is None:
            return
        archive.unlink(missing_ok=True)
        archive.with_name(archive.name + ".kaggle-partial").unlink(missing_ok=True)
    raise KaggleError(
        f"{slug}.zip came damaged twice ({complaint}) and was removed: wait some minutes, then type the command again."
    )


def _complaint(archive: Path) -> str | None:
    """What is wrong with a zip; None when every member is whole and the required ones are there."""
    if not archive.is_file():
        return "the client left no file"
    try:
        with zipfile.ZipFile(archive) as opened:
            broken = opened.testzip()
            names = set(opened.namelist())
    # zipfile raises all of these on damaged bytes: bad structure, bad stream, unknown or locked members.
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        return str(error) or type(error).__name__
    if broken is not None:
        return f"{broken} is corrupt"
    missing = [name for name in REQUIRED if name not in names]
    return f"{missing[0]} is not in it" if missing else None


def _unpack(archive: Path, target: Path) -> dict[str, Path]:
    """Unpack all files to `target`; name in the data folder -> unpacked file."""
    files = {}
    shutil.rmtree(target, ignore_errors=True)
    with zipfile.ZipFile(archive) as opened:
        members = [(_safe_name(member, archive), member) for member in opened.infolist() if not member.is_dir()]
        for name, member in members:
            with opened.open(member) as source, atomic_file(target / name) as file:
                shutil.copyfileobj(source, file, 1 << 20)
            files[name] = target / name
    return files


def _safe_name(member: zipfile.ZipInfo, archive: Path) -> str:
    name = PurePosixPath(member.filename.replace("\\", "/"))
    is_link = (member.external_attr >> 16) & 0o170000 == 0o120000
    if name.is_absolute() or ".." in name.parts or ":" in name.parts[0] or is_link:
        raise KaggleError(
            f"{archive.name} holds {member.filename!r}, which points out of the data folder: nothing was "
            f"unpacked, do not use this file."
        )
    return str(name)


def _place(files: dict[str, Path], folder: Path, force: bool) -> list[Fetched]:
    """Rename all files into `folder`, after a look at what stands there."""
    same = {
        name: (folder / name).is_file() and sha256_file(folder / name) == sha256_file(path)
        for name, path in files.items()
    }
    other = [name for name in files if (folder / name).exists() and not same[name]]
    if other and not force:
        raise DataError(
            f"{folder / other[0]} is there already and is not the file fetched: move it away, name another "
            f"--data, or add --force to replace it."
        )
    fetched = []
    for name, path in files.items():
        size = path.stat().st_size
        if not same[name]:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            path.replace(folder / name)
        fetched.append(Fetched(folder / name, size, not same[name]))
    return fetched
