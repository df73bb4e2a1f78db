"""Several processes, one run: torchrun starts them, each takes its share of every
batch.
"""

import atexit
import os

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel


def rank() -> int:
    """This process's number: 0 for the one that writes and reports, and where torchrun
    started none.
    """
    return int(os.environ["RANK"]) if distributed.is_torchelastic_launched() else 0


def world_size() -> int:
    """How many processes share the run."""
    return (
        int(os.environ["WORLD_SIZE"]) if distributed.is_torchelastic_launched() else 1
    )


def pick_device(name: str) -> torch.device:
    """The device called `name`; "auto" is cuda, mps or cpu. Of several processes each
    gets a GPU of its own.

    Raises ValueError when it cannot be used here.
    """
    if name == "auto":
        name = (
            "cuda"
            if torch.cuda.is_available()
            else "mps"
            if torch.backends.mps.is_available()
            else "cpu"
        )
    if name == "cuda" and distributed.is_torchelastic_launched():
        name = f"cuda:{os.environ['LOCAL_RANK']}"
    try:
        one = torch.ones(1, device=name)
        one.item()  # "meta" has no values
        return one.device
    except (AssertionError, RuntimeError, ImportError) as error:
        # for an unknown name and for a missing device
        reason = str(error).splitlines()[0]
        raise ValueError(f"device {name!r} cannot be used here: {reason}") from error


def init_process_group(device: torch.device) -> None:
    """Connect this process, which trains on `device`, to the others, if there are any,
    until it ends.
    """
    if not distributed.is_torchelastic_launched():
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if not distributed.is_initialized():
        # Windows has no NCCL
        fast = device.type == "cuda" and distributed.is_nccl_available()
        distributed.init_process_group("nccl" if fast else "gloo")
        atexit.register(distributed.destroy_process_group)


def shard(size: int) -> slice:
    """This process's part of a batch of `size` images. Raises ValueError when they
    cannot be shared evenly.
    """
    part, rest = divmod(size, world_size())
    if rest:
        raise ValueError(
            f"a batch of {size} images cannot be shared evenly by {world_size()}"
            " processes"
        )
    return slice(rank() * part, (rank() + 1) * part)


def wrap_ddp(model: nn.Module) -> nn.Module:
    """The model as one trains it: with several processes each backward pass averages
    the gradients over all of them.
    """
    if not distributed.is_initialized():
        return model
    connected = DistributedDataParallel(model)
    connected.config = model.config
    return connected


def all_reduce_mean(values: Tensor) -> Tensor:
    """The mean over the processes."""
    if distributed.is_initialized():
        distributed.all_reduce(values)
    return values / world_size()
