"""Policy files: what each key means, one clear line for anything else, and nothing in them is ever run."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wqscore.errors import UsageError
from wqscore.gating.policy import Policy, load_policy, read_rules
from wqscore.gating.rules import Change, Quantity, Rule, Share
from wqscore.presets.registry import PRESETS

KEYS = ["rules", "preset", "metrics", "baseline", "base"]


def load(folder: Path, text: str | bytes) -> Policy:
    file = folder / "policy.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_policy(file)


def test_every_key(tmp_path: Path) -> None:
    policy = load(
        tmp_path,
        """
        rules = ["alpha > 6", "share(random)>0.2", "alpha>6.0", "delta(stable_rank)<-1"]
        preset = "ww-0.7"
        metrics = ["core", "entropy"]
        baseline = "old/scores.json"
        base = "./start"
        """,
    )
    assert policy.rules == (
        Rule(Quantity("alpha"), ">", 6.0),
        Rule(Share("random"), ">", 0.2),
        Rule(Change("delta", Quantity("stable_rank")), "<", -1.0),
    )
    assert policy.preset == "ww-0.7"
    assert policy.all_metrics == ("core", "entropy", "alpha", "stable_rank")
    assert policy.baseline == tmp_path / "old/scores.json"
    assert policy.base == str(tmp_path / "start")


def test_all_keys_may_be_left_out(tmp_path: Path) -> None:
    assert load(tmp_path, "") == Policy((), "default", ("core",), None, None)
    assert load(tmp_path, b"\xef\xbb\xbfbase = 'org/base'").base == "org/base"
    assert load(tmp_path, "baseline = '/elsewhere/b.json'").baseline == Path("/elsewhere/b.json")


def test_a_rule_given_twice_counts_once() -> None:
    assert len(read_rules(["alpha>6", " alpha  >  6.0 ", "alpha>=6"])) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rule = ['alpha>6']", "unknown key 'rule': did you mean rules?"),
        ("[gate]\nrules = []", "unknown key 'gate': known are rules, preset, metrics, baseline, base"),
        ("rules = 'alpha>6'", "rules must be an array of strings"),
        ("rules = ['alpha>6', 6]", "rules must be an array of strings"),
        ("rules = ['alhpa>6']", "character 1: no metric called 'alhpa'"),
        ("rules = [{metric='alpha', above=6}]", "rules must be an array of strings"),
        ("preset = 'ww'", "no preset called 'ww'"),
        ("preset = ''", "preset must be a string with something in it"),
        ("preset = 7", "preset must be a string with something in it"),
        ("metrics = ['nonsense']", "no metric called 'nonsense'"),
        ("metrics = []", "no metric chosen"),
        ("baseline = true", "baseline must be a string"),
        ('baseline = "a\\u0000b"', "baseline must be a string"),
        ("rules = ['alpha>6'", "is not valid TOML"),
        ("rules = []\nrules = []", "is not valid TOML"),
        (b"rules = ['\xff']", "is not UTF-8 text"),
        ("x = " + "[" * 100_000, "is not valid TOML"),
        ("#" * 1_000_001, "is larger than 1,000,000 bytes"),
    ],
)
def test_what_is_wrong_with_it(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        load(tmp_path, text)
    assert str(refused.value).startswith(f"{tmp_path / 'policy.toml'}: ")
    assert said in str(refused.value)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    for file in (tmp_path, tmp_path / "none.toml", tmp_path / "none\0.toml"):
        with pytest.raises(UsageError, match=r"can't be read: .*a policy is a short TOML file"):
            load_policy(file)


plain = st.one_of(st.text(max_size=20), st.integers(), st.floats(), st.booleans())
entries = st.dictionaries(
    st.one_of(st.sampled_from(KEYS), st.text("abc-_", min_size=1, max_size=5)),
    st.one_of(
        plain,
        st.lists(plain, max_size=3),
        st.lists(st.sampled_from(["alpha>6", "core", "share(ok)<1", "__import__('os').system('touch owned')"])),
        st.sampled_from(list(PRESETS)),
    ),
)


@given(
    st.one_of(
        st.binary(),
        entries.map(lambda table: "\n".join(f"{key} = {json.dumps(value)}" for key, value in table.items()).encode()),
    )
)
@example(b"rules = [\"__import__('os').system('touch owned')\"]")
def test_any_file_is_a_policy_or_one_clear_line(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "policy.toml"
        file.write_bytes(data)
        try:
            policy = load_policy(file)
        except UsageError as error:
            assert str(error).startswith(f"{file}: ")
            assert str(error).isprintable()
        else:
            assert policy.preset in PRESETS
            assert len(set(policy.rules)) == len(policy.rules)
        assert [entry.name for entry in Path(folder).iterdir()] == ["policy.toml"]
    assert not Path("owned").exists()
