"""The command that tries the wheel: it tries every command, and says what fails."""

import sys
from pathlib import Path

from packaging.requirements import Requirement

from benchmarks import wheel
from vit_tutorial.cli.main import COMMANDS


def test_every_command_is_tried_and_told_apart_from_the_others():
    steps = [*wheel.STEPS, *wheel.WITH_EXTRAS]
    tried = {step.words[2] for step in steps if step.words[1] == "vit_tutorial"}
    assert tried >= set(COMMANDS)
    assert len({(step.words, step.code, step.says) for step in steps}) == len(steps)


def test_what_fails_is_told_and_recorded(tmp_path, capsys):
    python = Path(sys.executable)
    for code, says, passed in ((0, "one", True), (0, "two", False), (2, "one", False)):
        step = wheel.Step(("-c", "print('one')"), says, code)
        row = wheel.passes(step, python, tmp_path)
        assert row == {"step": "-c print('one')", "code": 0, "passed": passed}
        assert capsys.readouterr().out.startswith("passed" if passed else "FAILED with")


def test_a_mistake_is_to_be_the_last_line_and_no_traceback(tmp_path):
    for said, passed in (
        ("a note\\nno\\n", True),
        ("no\\nmore\\n", False),
        ("Traceback\\nno\\n", False),
    ):
        code = f"import sys; sys.stderr.write('{said}'); sys.exit(2)"
        step = wheel.Step(("-c", code), "no", 2)
        assert wheel.passes(step, Path(sys.executable), tmp_path)["passed"] == passed


def test_torch_is_lent_with_what_it_needs_and_without_what_the_wheel_declares(tmp_path):
    packages = tmp_path / "lib" / "python3" / "site-packages"
    packages.mkdir(parents=True)
    wheel.lend("torch", tmp_path)
    lent = {path.name for path in (tmp_path / "lent").iterdir()}
    assert {"torch", "sympy", "mpmath"} <= lent  # which sympy needs
    assert not {"numpy", "filelock", "PIL", "sklearn", "vit_tutorial"} & lent
    assert (packages / "lent.pth").read_text(encoding="utf-8") == str(tmp_path / "lent")
    assert list(wheel.needed(Requirement("nothing-is-called-this"))) == []


def test_pictures_are_of_all_kinds(tmp_path):
    wheel.draw_pictures(tmp_path / "pictures")
    kinds = {path.suffix for path in tmp_path.rglob("*.*")}
    assert kinds == {".jpg", ".png"}
    missing = [name for name in wheel.PHOTOS.split() if not (tmp_path / name).exists()]
    assert missing == []
    classes = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert classes == {"blue", "green", "red"}
