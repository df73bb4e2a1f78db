"""Which exercises are solved, noted where a learner works: in lab/, where `make lab`
puts the list of them, and nowhere else.
"""

import json
from dataclasses import astuple, dataclass
from datetime import datetime
from html import escape
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from vit_tutorial.files import write_file

# both in the folder of the notebook that is running
EXERCISES = Path(".exercises.json")
SOLVED = Path(".solved")  # a file for each exercise: named as its check, the time in it
MOST_STARS = 3
KEPT = (
    f"Noted in the folder {SOLVED} beside your notebooks, on this disk and nowhere"
    " else; delete a file there, and its exercise is open again."
)
LEFT = 'style="text-align: left; vertical-align: top"'


@dataclass(frozen=True)
class Exercise:
    """As its chapter has it. The capstone says neither minutes nor stars: 0 of both.

    Raises ValueError for values of other types, which a list edited by hand may hold.
    """

    check: str
    chapter: str  # "01 Patches"
    file: str
    heading: str
    title: str
    minutes: int
    stars: int

    def __post_init__(self) -> None:
        *texts, minutes, stars = astuple(self)
        if not all(isinstance(text, str) for text in texts):
            raise ValueError(f"names and titles expected, got {texts}")
        if not isinstance(minutes, int) or stars not in range(MOST_STARS + 1):
            raise ValueError(f"minutes and stars expected, got {minutes}, {stars}")

    @property
    def effort(self) -> str:
        return f"{self.minutes} min {'★' * self.stars}" if self.minutes else "open"

    @property
    def link(self) -> str:
        """To its heading, as JupyterLab names it. It goes there where the chapter is
        open, and else to the top.
        """
        return f"{quote(self.file)}#heading={self.heading.replace(' ', '-')}"


@dataclass(frozen=True)
class Progress:
    """A learner's exercises and when each was solved: a table in a notebook, lines
    elsewhere.
    """

    exercises: list[Exercise]
    solved: dict[str, datetime]

    @property
    def upcoming(self) -> Exercise | None:
        """The first that is open after the one solved last, in the order of the book:
        whoever leaves one out is not called back before the end.
        """
        times = [
            (self.solved[exercise.check], place)
            for place, exercise in enumerate(self.exercises)
            if exercise.check in self.solved
        ]
        _, last = max(times, default=(None, 0))
        ahead = self.exercises[last:] + self.exercises[:last]
        return next((one for one in ahead if one.check not in self.solved), None)

    @property
    def count(self) -> str:
        done = sum(exercise.check in self.solved for exercise in self.exercises)
        return f"{done} of {len(self.exercises)}"

    def state(self, exercise: Exercise) -> str:
        """The day it was solved, or what it takes."""
        if exercise.check in self.solved:
            return f"✓ {self.solved[exercise.check]:%Y-%m-%d}"
        return exercise.effort

    def __repr__(self) -> str:
        if not self.exercises:
            return (
                "nothing is kept here: what you solve is noted in lab/, where `make"
                " lab` puts your copies of the chapters and the list of exercises"
            )
        lines = [f"{self.count} exercises solved"]
        for chapter, exercises in groupby(self.exercises, lambda one: one.chapter):
            lines += ["", chapter]
            for one in exercises:
                mark = ">" if one == self.upcoming else " "
                lines.append(f"{mark} {self.state(one):<13} {one.title}")
        return "\n".join([*lines, "", KEPT])

    def _repr_html_(self) -> str | None:
        if not self.exercises:
            return None  # the line above
        head = f"<b>{self.count} exercises solved.</b>"
        if ahead := self.upcoming:
            takes = f" ({ahead.effort})" if ahead.minutes else ""
            head += (
                f" Next: {anchor(ahead.link, ahead.title)}{takes}, in"
                f" {escape(ahead.chapter)}."
            )
        rows = []
        for chapter, exercises in groupby(self.exercises, lambda one: one.chapter):
            cells = [f"<td {LEFT}>{self.cell(one)}</td>" for one in exercises]
            file = next(one.file for one in self.exercises if one.chapter == chapter)
            name = f'<th scope="row" {LEFT}>{anchor(quote(file), chapter)}</th>'
            rows.append(f"<tr>{name}{''.join(cells)}</tr>")
        return f"<p>{head}</p><table>{''.join(rows)}</table><p>{KEPT}</p>"

    def cell(self, exercise: Exercise) -> str:
        state = self.state(exercise)
        if exercise == self.upcoming:
            state = f"<b>next: {state}</b>"
        return f"{anchor(exercise.link, exercise.title)}<br>{state}"


def anchor(link: str, text: str) -> str:
    return f'<a href="{escape(link)}">{escape(text)}</a>'


def progress() -> Progress:
    """Where you are: every exercise of the book, solved when, or what it takes; the
    next one, and links.

    Known where `make lab` keeps your copies, from what the checks called there.
    """
    exercises = listed()
    times = {exercise.check: solved(exercise.check) for exercise in exercises}
    return Progress(exercises, {name: time for name, time in times.items() if time})


def note(check: str) -> str:
    """Note, in a lab, that an exercise is solved; returns what there is to say about
    that: nothing elsewhere, for one noted before, or where it cannot be written.
    """
    if solved(check) or check not in {exercise.check for exercise in listed()}:
        return ""
    try:
        SOLVED.mkdir(exist_ok=True)
        now = datetime.now().isoformat(timespec="seconds")
        write_file(SOLVED / check, f"{now}\n".encode())
    except OSError:  # a full disk is no reason to call an answer wrong
        return ""
    return f"noted, {progress().count}: check.progress() shows where you are"


def listed() -> list[Exercise]:
    """The exercises that `make lab` found in the chapters, in their order; none where
    no list can be read.
    """
    try:
        entries = json.loads(EXERCISES.read_text(encoding="utf-8"))
        return [Exercise(**entry) for entry in entries]
    except (OSError, ValueError, TypeError):
        return []


def solved(check: str) -> datetime | None:
    """When; None for an exercise that is open or whose note cannot be read."""
    try:
        text = (SOLVED / check).read_text(encoding="utf-8").strip()
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except (OSError, ValueError):
        return None
