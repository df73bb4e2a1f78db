"""Either it works, or it is refused in one line: what is asked of any input, and the
tally of all that were tried.
"""

import os
import re
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from linecache import getline
from pathlib import Path
from traceback import walk_tb

import vit_tutorial

PACKAGE = Path(vit_tutorial.__file__).parent
LONGEST = 1000  # characters of a message
MOST_MEMORY = 2**28  # bytes by which an input may make the process grow
# and a picture: Pillow reads up to 179 million pixels, as photographs have; that is 537
# MB, and it holds long rows twice
MOST_OF_A_PICTURE = 2**30
CEILING = 2**31  # bytes of address space beyond what is taken: then allocating fails
PATIENCE = 60  # seconds after which an input hangs
LINUX = sys.platform == "linux"  # elsewhere memory is not measured, nor bounded


class Tally:
    """What became of the inputs of each kind: how many worked and were refused, the
    slowest in seconds, and the most that the process grew, in bytes.
    """

    def __init__(self) -> None:
        self.worked: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.seconds: dict[str, float] = {}
        self.memory: dict[str, int] = {}

    def add(self, kind: str, worked: bool, seconds: float, memory: int) -> None:
        (self.worked if worked else self.refused)[kind] += 1
        self.seconds[kind] = max(seconds, self.seconds.get(kind, 0))
        self.memory[kind] = max(memory, self.memory.get(kind, 0))


TALLY = Tally()


class Hang(BaseException):
    """An input that takes longer than PATIENCE; nothing in between catches it."""


def either_or(
    kind: str,
    call: Callable[[], object],
    names: Iterable[object] = (),
    errors: tuple[type[Exception], ...] = (ValueError,),
    most: int = MOST_MEMORY,
) -> bool:
    """Whether `call` works. Where it does not, it must raise one of these errors, by
    itself, in one line that says one of the `names`, within bounds of time and memory,
    `most` bytes.
    """
    message = None
    with bounded(kind, most) as outcome:
        try:
            call()
        except errors as error:
            check_refusal(error, errors, names)
            message = str(error)
        outcome["worked"] = message is None
    return message is None


def check_refusal(
    error: Exception, errors: tuple[type[Exception], ...], names: Iterable[object]
) -> None:
    """Assert that an error is the package's own, in one line that names what it
    refuses.
    """
    said = str(error)
    *_, (frame, line) = walk_tb(error.__traceback__)
    file = Path(frame.f_code.co_filename)
    own = file.is_relative_to(PACKAGE) and "raise" in getline(str(file), line)
    # the system's own error names the file
    assert own or isinstance(error, OSError), f"{file.name}:{line} {error!r}"
    subclass = isinstance(error, UnicodeError) or type(error).__module__ == "json"
    assert not subclass, repr(error)
    check_line(said, names)


def check_line(said: str, names: Iterable[object]) -> None:
    """Assert that a message is one short line that says one of the names."""
    assert said.strip() and len(said.splitlines()) == 1, repr(said)
    assert len(said) <= LONGEST, f"{len(said)} characters: {said[:300]}"
    names = [str(name) for name in names]
    found = any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", said) for name in names)
    assert found or not names, f"{said!r} names none of {names}"


@contextmanager
def bounded(kind: str, most: int = MOST_MEMORY) -> Iterator[dict[str, bool]]:
    """Within it an input is tried: it is given up after PATIENCE, and must not let the
    process grow by more than `most` bytes. Enters the tally what is put under "worked".
    """
    outcome: dict[str, bool] = {}
    start = time.perf_counter()
    before = forget_peak()
    with a_ceiling(), an_alarm(kind):
        yield outcome
    memory = max(0, memory_of("VmHWM") - before)
    TALLY.add(kind, outcome["worked"], time.perf_counter() - start, memory)
    assert memory <= most, f"{kind} took {memory / 1e6:,.0f} MB"


def forget_peak() -> int:
    """Let the peak of memory begin anew: what is taken now, in bytes."""
    if LINUX:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return memory_of("VmRSS")


def memory_of(name: str) -> int:
    """Bytes that the system counts under a name; 0 where it does not say."""
    if not LINUX:
        return 0
    text = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return 1024 * int(re.search(rf"{name}:\s+(\d+) kB", text)[1])


@contextmanager
def a_ceiling() -> Iterator[None]:
    """Within it the process gets CEILING more of address space: an input that asks for
    far too much fails instead of taking the machine along.
    """
    if not LINUX:
        yield
        return
    import resource  # which Windows lacks

    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (memory_of("VmSize") + CEILING, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextmanager
def an_alarm(kind: str) -> Iterator[None]:
    """Within it `Hang` is raised after PATIENCE."""
    here = threading.current_thread() is threading.main_thread()
    if os.name == "nt" or not here:
        yield
        return

    def ring(*_: object) -> None:
        raise Hang(f"{kind} takes more than {PATIENCE} seconds")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
