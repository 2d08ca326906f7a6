import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
SNIPPETS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_readme_snippets_run_one_after_another(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    assert len(SNIPPETS) >= 6
    for snippet in SNIPPETS:
        exec(compile(snippet, str(README), "exec"), names)
    assert names["classifier"].score(names["texts"], names["labels"]) > 0.9
    assert (tmp_path / "classifier.joblib").exists()
