"""Names of before work for a release, and say so."""

import importlib
import sys

import pytest

import skvae


def test_the_module_of_diagnostics_is_called_metrics():
    sys.modules.pop("skvae.diagnostics", None)
    with pytest.warns(FutureWarning, match=r"skvae\.diagnostics is now skvae\.metrics"):
        old = importlib.import_module("skvae.diagnostics")
    assert old.gaussian_kl is skvae.metrics.gaussian_kl
    assert old.CollapseWarning is skvae.CollapseWarning
