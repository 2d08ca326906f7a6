"""The list of faults fits the package and the tests; `make mutants` plants them."""

import ast
from collections import Counter

import pytest

from .mutants import MUTANTS, TESTS, Mutant, main, package


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_fault_can_be_planted_and_has_its_test(mutant):
    source = (package() / mutant.file).read_text()
    planted = mutant.planted_in(source)
    assert planted != source
    compile(planted, mutant.file, "exec")
    file, name = mutant.test.split("::")
    functions = [node.name for node in ast.parse((TESTS / file).read_text()).body if hasattr(node, "name")]
    assert name in functions


def test_names_of_faults_are_distinct_and_known(capsys):
    assert max(Counter(mutant.name for mutant in MUTANTS).values()) == 1
    assert main(["no such fault"]) == 1
    assert "no such fault" in capsys.readouterr().out


@pytest.mark.parametrize("old", ["no such text", "import numpy as np"])
def test_a_fault_that_has_no_one_place_is_refused(old):
    source = "import numpy as np\nimport numpy as np\n"
    with pytest.raises(ValueError, match=r"(0|2) times; expected it once"):
        Mutant("name", "file", old, "", "test").planted_in(source)
