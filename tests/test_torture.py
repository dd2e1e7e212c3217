"""The command line of the suite that breaks things; its campaigns are run by `make torture`."""

import pytest

from tests.torture.__main__ import main


@pytest.mark.parametrize("jobs", [0, -1])
def test_at_least_one_campaign_runs_at_once(jobs, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["torture", f"--jobs={jobs}"])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert f"at least 1, not {jobs}" in capsys.readouterr().err
