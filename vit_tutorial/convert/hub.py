"""Weights by name, from the hub that timm and transformers share."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from vit_tutorial.files import user_path
from vit_tutorial.training.checkpoint import opened

WEIGHTS = "model.safetensors"


def load_library(name: str) -> ModuleType:
    """A library that this package does without. Raises ImportError saying what to
    install.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        package = (error.name or name).split(".")[0]
        raise ImportError(
            f"{package} is not installed: pip install {package}"
        ) from error


def hub_file(repository: str, file: str) -> Path:
    """A file of a repository OWNER/NAME or OWNER/NAME@REVISION, fetched where it is not
    here yet, or of a folder.

    Raises ValueError for a repository or a file that is not there.
    """
    folder = user_path(repository)
    if folder.is_dir() and (folder / file).is_file():
        return folder / file
    lacks = f"{repository} holds no {file}"
    if file == WEIGHTS:
        lacks += "; pickles (.bin, .pth) can run code and are never loaded"
    if folder.is_dir():
        raise ValueError(lacks)
    hub = load_library("huggingface_hub")
    errors = load_library("huggingface_hub.errors")
    owner_name, _, revision = repository.partition("@")
    try:
        return Path(hub.hf_hub_download(owner_name, file, revision=revision or None))
    except (
        errors.RepositoryNotFoundError,
        errors.RevisionNotFoundError,
    ) as error:
        raise ValueError(f"the hub has no {repository}, or not for everyone") from error
    except errors.LocalEntryNotFoundError:
        raise  # not here, and the hub could not be asked
    except errors.EntryNotFoundError as error:
        raise ValueError(lacks) from error


def hub_weights(repository: str) -> Path:
    """The file of a repository's weights.

    Raises ValueError, as `hub_file` does, and for a file that is truncated or a pickle
    under that name.
    """
    path = hub_file(repository, WEIGHTS)
    with opened(path):
        return path
