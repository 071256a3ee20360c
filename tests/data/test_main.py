from pathlib import Path

import pytest

from data.__main__ import main
from data.city import City


def test_missing_source_is_said_in_words_with_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["import", "nola-extract", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")])
    assert code == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "The city was not made." in said
    assert "there is no folder" in said


def test_words_that_mean_nothing_end_with_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["import", "horoscope", "here", "--out", "there"])
    assert caught.value.code == 2
    assert "nola-extract" in capsys.readouterr().err


@pytest.mark.extract
def test_import_prints_the_account_of_every_table(
    extract_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "city"
    assert main(["import", "nola-extract", str(extract_dir), "--out", str(out)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    city = City.open(out)
    assert city.version in said
    for table in city.tables:
        account = city.account(table)
        assert f"{account.read:,} read {account.accepted:,} accepted {account.quarantined:,} in" in said
    assert " ".join(city.source("streets").steps[-1].split()) in said
