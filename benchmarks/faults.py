"""Whether a killed process, a full disk, a folder that cannot be written to or a second
run costs more than the time since the last epoch.

    python benchmarks/faults.py                 55 kills, into results/faults.json
    python benchmarks/faults.py --kills 10      a taste of it

Commands run in processes of their own: training with labels, without them (mae, dino),
with pictures left on the disk, and the download of STL-10, from a server here. Each is
killed by SIGKILL, called again, killed again, and at last left alone. After every kill
each file is absent or whole; at the end all files are, bit by bit, those of a process
that nothing killed.

A kill comes at a random moment, of three kinds: so many seconds after the start; when
the process is about to open, rename or remove its n-th file in the folder, which it
then does not; or a little later than that. Its phase is told from what it left behind.
A disk is filled, and made read-only, where a file system may be mounted: by root on
Linux. Exit code 1 when anything is not as it should be.
"""

import hashlib
import os
import random
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from safetensors.torch import save

from benchmarks.wheel import draw_pictures
from experiments.results import ROOT, environment_info, run, write_result
from vit_tutorial.data import stl10
from vit_tutorial.training.checkpoint import digest, load_checkpoint, read_tensors
from vit_tutorial.training.run import from_json

sys.path.append(str(ROOT / "tests"))
from servers import CONTENTS, NAMES, Server  # noqa: E402

TINY = (
    "--model.image_size 32 --model.patch_size 16 --model.classes 3 --model.dim 16"
    " --model.depth 1 --model.heads 2 --data.name folder --training.batch_size 20"
    " --training.epochs 6 --training.snapshots [0,1,2,3,4,5] --training.device cpu"
    " --training.augment.crop [0.5,1.0] --training.augment.flip true"
)
OBJECTIVES = {
    "supervised": "--training.optimizer muon --training.ema_decay 0.9",
    "mae": "--training.objective mae --training.masking.decoder_dim 16",
    "dino": (
        "--training.objective dino --training.dino.outputs 16 --training.dino.hidden 16"
        " --training.dino.bottleneck 8 --training.dino.local_crops 2"
        " --training.dino.local_size 16"
    ),
    "workers": "--data.workers 2",
}
KILLS = 6  # at most of one run
PATIENCE = 600.0  # seconds for a command to end
ARCHIVE = "stl10_binary.tar.gz.part"
CHECKED = [
    "after every kill: each file of the folder absent or whole, and loaded",
    "after every kill of a download: the next one asks for the rest only",
    "at the end: history equal (without seconds), weights, states, snapshots equal bit"
    " by bit, nothing left over",
]


@dataclass(frozen=True)
class Moment:
    """When to kill: `seconds` after the start; or else, where there is a `touch`,
    when it comes to the file of that number, and `after` so many seconds.
    """

    seconds: float = 0.0
    touch: int = 0
    after: float = 0.0


@cache
def fork_server() -> BaseContext:
    """Of processes, forked from one that has imported PyTorch and computed nothing."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["vit_tutorial.cli.commands", "torch._dynamo"])
    return context


class Process:
    """`python -m vit_tutorial` with these words, running."""

    def __init__(self, words: list[str], plain: bool = False, **told: Any) -> None:
        """`plain`: the interpreter is started anew. Otherwise the process comes, in a
        moment, from one that has imported PyTorch; only this one is `told` what `be`
        takes.
        """
        descriptor, name = tempfile.mkstemp()
        os.close(descriptor)
        self.said = Path(name)
        self.process: subprocess.Popen | BaseProcess
        if not plain:
            self.process = fork_server().Process(
                target=be, args=(words, self.said), kwargs=told
            )
            self.process.start()
            return
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "vit_tutorial", *words],
                stdout=subprocess.DEVNULL,
                stderr=said,
                env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
            )

    def end(self, seconds: float = 0.0) -> tuple[int, str]:
        """Its exit code and what it said on stderr; a kill after so many seconds.
        Raises TimeoutError for one that does not end.
        """
        if not self.ends(seconds or PATIENCE):
            self.process.kill()
            self.ends(PATIENCE)
            if not seconds:
                raise TimeoutError(f"after {PATIENCE} s a command does not end")
        said = self.said.read_text(encoding="utf-8", errors="replace")
        self.said.unlink()
        return self.code, said

    def ends(self, seconds: float) -> bool:
        """Wait for it; whether it has ended within so many seconds."""
        if isinstance(self.process, subprocess.Popen):
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        else:
            self.process.join(seconds)
        return self.code is not None

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        if isinstance(self.process, subprocess.Popen):
            return self.process.poll()
        return self.process.exitcode


def be(
    words: list[str],
    said: Path,
    files: dict[str, tuple[int, str]] | None = None,
    proxy: str = "",
    folder: Path | None = None,
    touch: int = 0,
    after: float = 0.0,
    stops: bool = False,
) -> None:
    """Become `python -m vit_tutorial` with these words, which writes to `said`.

    `files` stand for those of STL-10, and `proxy` for all servers. It kills itself, or
    with `stops` halts, so many seconds `after` it is about to open, rename or remove a
    file in the folder the `touch`-th time.
    """
    for stream, path in enumerate((os.devnull, said), start=1):
        os.dup2(os.open(path, os.O_WRONLY), stream)
    os.environ |= {"http_proxy": proxy, "no_proxy": "", "NO_PROXY": ""}
    if files:
        stl10.STL10_FILES = files
    number = signal.SIGSTOP if stops else signal.SIGKILL
    left = touch

    def watch(event: str, arguments: tuple) -> None:
        nonlocal left
        if event not in ("open", "os.rename", "os.remove"):
            return
        if not str(arguments[0]).startswith(f"{folder}{os.sep}"):
            return
        left -= 1
        if left == 0 and after:
            threading.Timer(after, os.kill, (os.getpid(), number)).start()
        elif left == 0:
            os.kill(os.getpid(), number)

    if touch:
        sys.addaudithook(watch)
    sys.argv = ["vit_tutorial", *words]
    runpy.run_module("vit_tutorial", run_name="__main__")


class Training:
    """A tiny run on drawn pictures, in a folder."""

    touches = 60  # of files, at most, before a kill: those of about two epochs

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self.root = root / "pictures"
        if not self.root.exists():
            draw_pictures(self.root)
        self.names_classes = "objective" not in OBJECTIVES[name]
        self.told: dict = {}
        self.asked: list[str | None] = []

    def rest(self, folder: Path) -> None:
        """Nothing is asked of a server."""

    def words(self, folder: Path) -> list[str]:
        """The command that begins the run, or goes on with it."""
        words = f"{TINY} {OBJECTIVES[self.name]}".split()
        go_on = ["--resume"] * (folder / "state.safetensors").is_file()
        where = ["--out", str(folder), "--data.root", str(self.root)]
        return ["train", *where, *words, *go_on]

    def phase(self, folder: Path, before: dict, after: dict) -> str:
        """Where a run was when it was killed, by what lay in its folder before it was
        called, and lies there now.
        """
        changed = {name for name in after if after[name] != before.get(name)}
        if not changed - {".lock"}:
            return "start"
        if any(name.endswith(".part") for name in changed):
            return "saving"
        return "saving" if half_saved(folder) else "epoch"

    def damage(self, folder: Path) -> list[str]:
        """What is in the folder and not whole."""
        found = []
        for path in files_of(folder):
            try:
                if path.suffix == ".json":
                    from_json(path.read_bytes())
                elif path.name == "state.safetensors":
                    tensors, texts = read_tensors(path)
                    if texts["digest"] != digest(tensors, texts["history"]):
                        raise ValueError("its digest is another's")
                elif path.suffix == ".safetensors":
                    read_tensors(path)
                elif path.name != ".lock" and path.suffix != ".part":
                    raise ValueError("nobody knows it")
            except (ValueError, KeyError) as error:
                found.append(f"{path.name}: {error}")
        if (folder / "config.json").is_file():  # and the weights, written before it
            try:
                load_checkpoint(folder)
            except ValueError as error:
                found.append(str(error))
        return found

    def outcome(self, folder: Path) -> dict[str, object]:
        """What is compared, by the name of the file."""
        found: dict[str, object] = {}
        for path in files_of(folder):
            name = str(path.relative_to(folder))
            found[name] = path.read_bytes()
            if name == "state.safetensors":
                found[name] = save(read_tensors(path)[0])
            if name == "history.json":
                rows = from_json(path.read_bytes())
                found[name] = [
                    {k: row[k] for k in row if k != "seconds"} for row in rows
                ]
        return found


class Download:
    """The download of STL-10, of other bytes, into a folder."""

    name = "download"
    touches = 27  # of files, all in all

    def __init__(self, server: Server) -> None:
        self.server = server
        names = (*NAMES, "unlabeled_X.bin")
        self.files = {name: CONTENTS[name] for name in names}
        self.told = {
            "proxy": server.url.rpartition("/")[0],
            "files": {
                name: (len(content), hashlib.md5(content).hexdigest())
                for name, content in self.files.items()
            },
        }

    @property
    def asked(self) -> list[str | None]:
        """What the server was asked for."""
        return self.server.asked

    def rest(self, folder: Path) -> str | None:
        """What the server is to be asked for next, None: all."""
        part = folder / "stl10_binary" / ARCHIVE
        kept = part.stat().st_size if part.is_file() else 0
        return f"bytes={kept}-" if kept else None

    def words(self, folder: Path) -> list[str]:
        return ["download", "stl10", "--root", str(folder), "--unlabelled", "true"]

    def phase(self, folder: Path, before: dict, after: dict) -> str:
        changed = {name for name in after if after[name] != before.get(name)}
        if not changed - {".lock"}:
            return "start"
        files = {name for name in changed if name.endswith((".tmp", ".bin"))}
        return "unpacking" if files else "arriving"

    def damage(self, folder: Path) -> list[str]:
        """What is in the folder and not whole; a part may hold no other bytes than the
        archive's first.
        """
        found = []
        for path in files_of(folder):
            whole = self.files.get(path.name)
            if path.name == ARCHIVE:
                whole = self.server.content[: path.stat().st_size]
            known = (".lock", f"{ARCHIVE}.json")
            if whole is None and path.suffix != ".tmp" and path.name not in known:
                found.append(f"{path.name}: nobody knows it")
            if whole is not None and path.read_bytes() != whole:
                found.append(f"{path.name}: other bytes than those on the server")
        return found

    def outcome(self, folder: Path) -> dict[str, object]:
        return {path.name: path.read_bytes() for path in files_of(folder)}


Job = Training | Download


def half_saved(folder: Path) -> bool:
    """Whether what lies beside a state is of another epoch, or not there: the snapshot
    is written before it, history.json last.
    """
    try:
        rows = from_json(read_tensors(folder / "state.safetensors")[1]["history"])
        if rows != from_json((folder / "history.json").read_bytes()):
            return True
    except (OSError, ValueError):
        return True
    # there is one of each epoch, and of the start
    return len(list((folder / "snapshots").glob("*.safetensors"))) > len(rows) + 1


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def seen(folder: Path) -> dict[str, int]:
    """When each file of a folder was last written, in ns."""
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in files_of(folder)
    }


def call(job: Job, folder: Path, moment: Moment | None = None) -> tuple[int, str]:
    """Call a command, and kill it at a moment; its exit code and what it said.

    Raises ValueError for a download that asks for what it has.
    """
    moment = moment or Moment()
    told = job.told | {"folder": folder}
    told |= {"touch": moment.touch, "after": moment.after}
    plain = bool(moment.seconds) and isinstance(job, Training)
    rest = job.rest(folder)
    before = len(job.asked)
    ended = Process(job.words(folder), plain, **told).end(moment.seconds)
    if (asked := job.asked[before : before + 1]) not in ([], [rest]):
        raise ValueError(f"{job.name} asked for {asked[0]}, expected {rest}")
    return ended


def kill(job: Job, folder: Path, moment: Moment) -> tuple[str, list[str]]:
    """Call a command and kill it: the phase it was in, "" where it ended first, and
    what is wrong with the files that it left.

    Raises ValueError for a command that fails.
    """
    before = seen(folder)
    code, said = call(job, folder, moment)
    if code == 0:
        return "", []
    if code != -signal.SIGKILL:
        raise ValueError(f"{job.name} ended with {code}: {said.strip()[-300:]}")
    return job.phase(folder, before, seen(folder)), job.damage(folder)


def finish(job: Job, folder: Path, whole: dict[str, object]) -> list[str]:
    """Let a command come to its end: in which files what it leaves differs from what a
    process leaves that nothing killed.
    """
    code, said = call(job, folder)
    if code:
        return [f"it ended with {code}: {said.strip()[-300:]}"]
    return differences(job.outcome(folder), whole)


def differences(found: dict[str, object], whole: dict[str, object]) -> list[str]:
    """The names of the files that are not the same."""
    return sorted(
        f"{name} differs"
        for name in {*found, *whole} - {".lock"}
        if found.get(name) != whole.get(name)
    )


def survive(
    job: Job, folder: Path, whole: dict[str, object], moments: list[Moment]
) -> tuple[list[str], list[str]]:
    """Kill a command at each of these moments, as long as it does not end before, and
    then let it end: the phases it was in, and what is wrong.
    """
    phases: list[str] = []
    faults: list[str] = []
    for moment in moments:
        phase, damage = kill(job, folder, moment)
        if not phase:
            break
        phases.append(phase)
        faults += [f"after {moment}, {phase}: {fault}" for fault in damage]
    return phases, faults + finish(job, folder, whole)


def draw(rng: random.Random, count: int, touches: int, seconds: float) -> list[Moment]:
    """Moments at random, the first of them before so many touches, for a command that
    takes so many seconds when nothing kills it.
    """
    found = []
    for place in range(count):
        touch = rng.randint(1, touches)
        later = 10 ** rng.uniform(-4, -1)  # seconds: a file, and some epochs
        kinds = [
            Moment(seconds=rng.uniform(0.01, seconds)),
            Moment(touch=touch),
            Moment(touch=touch, after=later),
        ]
        found.append(kinds[place % len(kinds)])
    rng.shuffle(found)
    return found


def refusal(ended: tuple[int, str], words: str) -> list[str]:
    """What is wrong with how a command ended that was to refuse: exit code 2, one line
    with these words. Notes on the data may stand before it.
    """
    code, said = ended
    lines = said.rstrip().splitlines() or [""]
    right = code == 2 and lines[-1].startswith("error: ") and words in lines[-1]
    if right and said.count("error: ") == 1 and "Traceback" not in said:
        return []
    return [f"ended with {code}, {said[-300:]!r}, expected one line: {words}"]


def unmountable() -> str:
    """Why no file system can be mounted here; "" where one can."""
    if not sys.platform.startswith("linux") or os.geteuid():
        return "only root on Linux mounts a file system"
    with tempfile.TemporaryDirectory() as place:
        try:
            with mounted(Path(place), 16):
                return ""
        except OSError as error:
            return str(error)


def mount(*words: str) -> None:
    """Call mount. Raises OSError with what it says."""
    done = subprocess.run(["mount", *words], capture_output=True, encoding="utf-8")
    if done.returncode:
        raise OSError(f"mount {' '.join(words)}: {done.stderr.strip()}")


@contextmanager
def mounted(folder: Path, kilobytes: int) -> Iterator[Callable[[str], None]]:
    """A small disk in a folder, and a call that mounts it with other options."""
    mount("-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder))
    try:
        yield lambda options: mount("-o", f"remount,{options}", str(folder))
    finally:
        subprocess.run(["umount", folder], check=True)


def full_disk(
    job: Job, disk: Path, whole: dict[str, object], kilobytes: int
) -> list[str]:
    """A disk that is full before the command has ended, and then grows: what is
    wrong.
    """
    folder = disk / "run"
    words = "no space left on" if job.name == "download" else "No space left on device"
    with mounted(disk, kilobytes) as remount:
        faults = refusal(call(job, folder), words) + job.damage(folder)
        parts = [path for path in files_of(folder) if path.suffix in (".part", ".tmp")]
        faults += [f"{path.name} is left" for path in parts if path.name != ARCHIVE]
        remount("size=64m")
        return faults + finish(job, folder, whole)


def read_only(job: Job, disk: Path, whole: dict[str, object]) -> list[str]:
    """A disk that cannot be written to while a command is to go on: what is wrong."""
    folder = disk / "run"
    with mounted(disk, 65_536) as remount:
        # after an epoch, and after four files
        _, faults = kill(job, folder, Moment(touch=job.touches * 3 // 4))
        before = seen(folder)
        remount("ro")
        faults += refusal(call(job, folder), "Read-only file system")
        if isinstance(job, Training):
            measure = "evaluate" if job.names_classes else "probe"
            code, said = Process([measure, "--checkpoint", str(folder)]).end()
            faults += [f"{measure} ended with {code}: {said}"] * (code != 0)
        faults += ["something was written"] * (seen(folder) != before)
        remount("rw")
        return faults + finish(job, folder, whole)


def below_a_file(job: Job, place: Path) -> list[str]:
    """A folder that cannot be, because its parent is a file: what is wrong."""
    (place / "file").write_bytes(b"precious")
    faults = refusal(call(job, place / "file" / "run"), "Not a directory")
    if (place / "file").read_bytes() != b"precious":
        faults.append("the file was written to")
    return faults


def two_in_one(job: Job, folder: Path, whole: dict[str, object]) -> list[str]:
    """A second process in the folder of one that is at work, which stops meanwhile:
    what is wrong.
    """
    trains = isinstance(job, Training)
    sign, touch = ("state.safetensors", 13) if trains else (f"{ARCHIVE}.json", 5)
    told = {"folder": folder, "touch": touch, "stops": True}
    first = Process(job.words(folder), **job.told, **told)
    began = time.monotonic()
    while not list(folder.rglob(sign)):
        if first.ends(0.01) or time.monotonic() - began > PATIENCE:
            code, said = first.end(0.01)  # a kill, where it runs
            said = said.strip()[-300:]
            return [f"before {sign} the first ended with {code}: {said}"]
    doing = "training in" if trains else "downloading into"
    faults = refusal(Process(job.words(folder), **job.told).end(), doing)
    os.kill(first.process.pid, signal.SIGCONT)
    code, said = first.end()
    faults += [f"the first ended with {code}: {said}"] * (code != 0)
    return faults + differences(job.outcome(folder), whole)


@contextmanager
def serving() -> Iterator[Server]:
    """A server of an archive as STL-10's, which takes the place of the official one."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def steps_of(
    job: Job, place: Path, whole: dict[str, object]
) -> dict[str, Callable[[], list[str]]]:
    """What else a command is to stand, by name: each says what is wrong."""
    names = ("disk", "full", "tiny", "below")
    folders = {name: place / name for name in names}
    for folder in folders.values():
        folder.mkdir()
    kilobytes = sum(path.stat().st_size for path in files_of(place / "whole")) // 1024
    return {
        "no room for half of it": lambda: full_disk(
            job, folders["full"], whole, kilobytes // 2
        ),
        "no room for the first file": lambda: full_disk(job, folders["tiny"], whole, 8),
        "a read-only disk": lambda: read_only(job, folders["disk"], whole),
        "a folder below a file": lambda: below_a_file(job, folders["below"]),
        "two in one folder": lambda: two_in_one(job, place / "two", whole),
    }


def main(
    kills: int = 55, seed: int = 0, out: Path = ROOT / "results/faults.json"
) -> int:
    """Kill, fill, forbid and crowd, and write what came of it.

    Args:
        kills: how many, about the same number of each command
        seed: of the moments
        out: file of the result
    """
    if kills < 1:
        raise ValueError(f"kills is {kills}, expected at least 1")
    if os.name == "nt":
        raise ValueError("the system is Windows, expected one with forks and signals")
    began = time.perf_counter()
    rng = random.Random(seed)
    counts: dict[str, Counter] = {}
    runs: Counter = Counter()
    steps: list[dict] = []
    faults: list[str] = []
    without = unmountable()
    with tempfile.TemporaryDirectory() as name, serving() as server:
        root = Path(name)
        jobs: list[Job] = [
            *(Training(one, root) for one in OBJECTIVES),
            Download(server),
        ]
        for place, job in enumerate(jobs):
            here = root / job.name
            start = time.perf_counter()
            plain = isinstance(job, Training)
            code, said = Process(job.words(here / "whole"), plain, **job.told).end()
            seconds = time.perf_counter() - start
            if code:
                raise ValueError(f"{job.name} ended with {code}: {said.strip()[-300:]}")
            whole = job.outcome(here / "whole")
            counts[job.name] = Counter()
            wanted = kills // len(jobs) + (place < kills % len(jobs))
            while (left := wanted - counts[job.name].total()) > 0:
                moments = draw(rng, min(KILLS, left), job.touches, seconds)
                folder = here / f"killed-{runs[job.name]}"
                phases, wrong = survive(job, folder, whole, moments)
                counts[job.name].update(phases)
                runs[job.name] += 1
                faults += [f"{job.name}: {fault}" for fault in wrong]
                print(f"{job.name:12}killed", *phases, *wrong, flush=True)
            for step, stand in steps_of(job, here, whole).items():
                row = {"command": job.name, "step": step}
                if without and ("disk" in step or "room" in step):
                    steps.append(row | {"skipped": without})
                    continue
                wrong = stand()
                steps.append(row | {"passed": not wrong})
                faults += [f"{job.name}, {step}: {fault}" for fault in wrong]
                print(f"{job.name:12}{step}", *wrong or ["passed"], flush=True)
    total = sum(counts.values(), Counter())
    about = environment_info("cpu", "safetensors", "filelock") | {"seed": seed}
    result = about | {
        "kills": total.total(),
        "phases": dict(total),
        "kills_by_command": {name: dict(each) for name, each in counts.items()},
        "runs": dict(runs),
        "checked": CHECKED,
        "steps": steps,
        "faults": faults,
        "seconds": round(time.perf_counter() - began),
    }
    write_result(out, result)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(run(main))
