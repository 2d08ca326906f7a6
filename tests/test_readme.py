import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
SNIPPETS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_readme_snippets_run_one_after_another():
    names = {}
    assert len(SNIPPETS) >= 2
    for snippet in SNIPPETS:
        exec(compile(snippet, str(README), "exec"), names)
