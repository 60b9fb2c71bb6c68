import pytest
from tiny_competition import TEST, TRAIN


@pytest.fixture
def folder(tmp_path):
    """A folder with a good train.csv (4 rows) and test.csv (3 rows), for a test to spoil."""
    (tmp_path / "train.csv").write_text(TRAIN, newline="")
    (tmp_path / "test.csv").write_text(TEST, newline="")
    return tmp_path
