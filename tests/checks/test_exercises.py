"""Every exercise of the chapters: its form, its cell as it stands, and its solution,
run as a learner would.
"""

import ast
import re
import textwrap
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jupytext
import pytest

from vit_tutorial import checks
from vit_tutorial.checks import Result

TEXTS = sorted((Path(__file__).parents[2] / "notebooks").glob("[0-9][0-9]_*.md"))
TAUGHT = [text for text in TEXTS if text.name[:2] <= "08"]
HEADING = re.compile(
    r"^### (?P<turn>Your turn \()?.*?(?P<minutes>\d+) minutes, (?P<stars>one|two|three)"
    r" stars?\)",
    re.M,
)
DETAILS = re.compile(r"<details><summary>(.*?)</summary>(.*?)</details>", re.S)


@dataclass(frozen=True)
class Exercise:
    chapter: str
    place: int  # of its cell among the cells of the chapter
    heading: re.Match
    cell: str
    folded: list[tuple[str, str]]  # summary and text, in order

    @property
    def solution(self) -> str:
        """The indented lines of the last fold."""
        return textwrap.dedent(
            "\n".join(
                line
                for line in self.folded[-1][1].splitlines()
                if line[:4] in ("", "    ")
            )
        )


@cache
def cells(text: Path) -> list:
    return jupytext.read(text, fmt="md:myst").cells


def exercises(text: Path) -> list[Exercise]:
    found = []
    chapter = cells(text)
    for place, cell in enumerate(chapter):
        # not the capstone
        if cell.cell_type == "code" and re.search(
            r"^check\.(?!my_vit\()\w+\(", cell.source, re.M
        ):
            heading = list(HEADING.finditer(chapter[place - 1].source))
            assert heading, (
                f"{text.stem}: an exercise without a heading that says minutes and"
                f" stars: {cell.source[:60]}"
            )
            after = re.split(r"^#", chapter[place + 1].source, maxsplit=1, flags=re.M)[
                0
            ]
            found.append(
                Exercise(
                    text.stem, place, heading[-1], cell.source, DETAILS.findall(after)
                )
            )
    return found


EXERCISES = pytest.mark.parametrize(
    "exercise",
    [e for text in TEXTS for e in exercises(text)],
    ids=lambda e: f"{e.chapter[:2]}-{last_line(e.cell)}",
)


def last_line(cell: str) -> str:
    return cell.strip().splitlines()[-1]


@cache
def surroundings(chapter: str) -> dict:
    """What a learner has at hand in a chapter: all that it imports and the cells that
    are exported.
    """
    text = next(text for text in TEXTS if text.stem == chapter)
    names = {}
    sources = [cell.source for cell in cells(text) if cell.cell_type == "code"]
    for source in sources:
        body = ast.parse(source).body
        exported = source.startswith("# vit_tutorial/")
        wanted = (
            body
            if exported
            else [
                node for node in body if isinstance(node, ast.Import | ast.ImportFrom)
            ]
        )
        exec(compile(ast.Module(wanted, []), chapter, "exec"), names)
    return names


def answer(exercise: Exercise, code: str) -> Result:
    """What the check of an exercise says to `code`."""
    names = dict(surroundings(exercise.chapter))
    exec(code, names)
    return eval(last_line(exercise.cell), names)


@pytest.mark.parametrize("text", TAUGHT, ids=lambda text: text.stem)
def test_a_chapter_has_three_exercises_one_of_them_before_its_answer(text):
    found = exercises(text)
    assert len(found) == 3
    turns = [exercise for exercise in found if exercise.heading["turn"]]
    assert len(turns) == 1
    after = [
        cell.source
        for cell in cells(text)[turns[0].place + 1 :]
        if cell.cell_type == "code"
    ]
    assert any(source.startswith("# vit_tutorial/") for source in after), (
        "no marked cell answers it"
    )


@pytest.mark.parametrize("text", TAUGHT, ids=lambda text: text.stem)
def test_a_reader_predicts_before_running(text):
    prose = "\n".join(
        cell.source for cell in cells(text) if cell.cell_type == "markdown"
    )
    assert prose.count("<summary>Our answer</summary>") >= 3


@EXERCISES
def test_an_exercise_says_what_it_takes_and_helps_in_steps(exercise):
    assert 1 <= int(exercise.heading["minutes"]) <= 15
    summaries = [summary for summary, _ in exercise.folded]
    assert (
        summaries[:2] == ["Hint 1", "Hint 2"]
        and summaries[-1] == "Solution"
        and len(summaries) == 5
    )
    assert all(summary.startswith("I get ") for summary in summaries[2:4])


@EXERCISES
def test_an_exercise_runs_as_it_stands_and_is_not_solved(exercise):
    assert "..." in exercise.cell
    result = answer(exercise, exercise.cell)
    assert not result.ok and result.message.startswith("not solved yet: ")


@EXERCISES
def test_the_solution_solves_the_exercise_and_stands_nowhere_in_its_cell(exercise):
    result = answer(exercise, exercise.solution)
    assert result.ok, result.message
    given = {line.strip() for line in exercise.cell.splitlines()}
    assert [
        line for line in exercise.solution.splitlines() if line.strip() not in given
    ], "the cell holds the solution"


def test_the_capstone_is_a_blank_class_that_a_chapter_checks():
    sources = [cell.source for text in TEXTS for cell in cells(text)]
    assert 'check.my_vit("my_vit.py")' in sources
    result = checks.my_vit(TEXTS[0].with_name("my_vit.py"))
    assert not result.ok and "MyViT has no __init__" in result.message


def test_every_check_belongs_to_an_exercise():
    used = {
        name
        for text in TEXTS
        for e in exercises(text)
        for name in re.findall(r"check\.(\w+)\(", e.cell)
    }
    assert used | {"my_vit"} == set(checks.__all__) - {"Result", "progress"}
