"""Push and pull checkpoints to and from the Hugging Face Hub, or the compatible server in ``HF_ENDPOINT``."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from verydeep.download.offline import offline
from verydeep.errors import CheckpointError, HubError
from verydeep.weight_files.checkpoint_description import checkpoint_path
from verydeep.weight_files.checkpoint_file import load
from verydeep.weights.catalog import hub_endpoint

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi

FILE = "model.safetensors"
"""The file name of a checkpoint in a repository, as in a run folder."""


@dataclass(frozen=True)
class Pushed:
    """The result of a push."""

    repo: str
    url: str
    """The page of the repository."""
    commit: str
    private: bool


def push(
    checkpoint: Path | str, card: str, repo: str, *, private: bool = False, progress_bars: bool = False
) -> Pushed:
    """Push a checkpoint and its model card to the repository ``repo``, which is created if it does not exist.

    Args:
        checkpoint: a run folder or a file; it is read first, so that no broken file is published.
        card: the model card as Markdown, as `verydeep.report.model_card.model_card` writes it.
        repo: "user/name".
        private: whether only the owner may see it; a repository that is already public is then refused.
        progress_bars: whether huggingface_hub shows its progress bars on stderr.

    Raises:
        CheckpointError: where the checkpoint does not exist or is broken.
        HubError: where the hub refuses or cannot be reached, with the next step.
    """
    file = checkpoint_path(Path(checkpoint))
    if file.suffix != Path(FILE).suffix:
        raise CheckpointError(
            f"{file} is not a .safetensors file, which the hub's tools read. Convert it and push the result: "
            f"verydeep weights import {shlex.quote(str(file))} --out NEW.safetensors"
        )
    load(file)
    if variable := offline():
        raise HubError(
            f"{repo} is not pushed to {hub_endpoint()}, because {variable} is set. Unset it to push"
        )
    with _hub(repo, progress_bars) as api:
        page = api.create_repo(repo, private=private, exist_ok=True)
        is_private = bool(api.model_info(repo).private)
        if private and not is_private:
            raise HubError(f"{page} is already public. Make it private there first, or give another name")
        commit = api.create_commit(repo, _additions(file, card), commit_message="Push a verydeep checkpoint")
    return Pushed(repo, str(page), commit.oid, is_private)


def _additions(file: Path, card: str) -> list["CommitOperationAdd"]:
    from huggingface_hub import CommitOperationAdd

    return [CommitOperationAdd(FILE, file), CommitOperationAdd("README.md", card.encode())]


def pull(repo: str, *, revision: str | None = None, progress_bars: bool = False) -> Path:
    """The checkpoint in the repository ``repo``, downloaded to Hugging Face's cache and read as a check.

    In offline mode the file in the cache is used.

    Args:
        repo: "user/name".
        revision: a branch, tag or commit; the main branch by default.
        progress_bars: whether huggingface_hub shows its progress bars on stderr.

    Raises:
        HubError: where there is no such repository, revision or file, or the hub cannot be reached.
        CheckpointError: where the file is not a checkpoint of this package.
    """
    cached = offline() is not None
    with _hub(repo, progress_bars, revision) as api:
        path = Path(api.hf_hub_download(repo, FILE, revision=revision, local_files_only=cached))
    try:
        load(path)
    except CheckpointError as error:
        raise CheckpointError(f"{repo} does not hold a verydeep checkpoint: {error}") from error
    return path


@contextmanager
def _hub(repo: str, progress_bars: bool, revision: str | None = None) -> Iterator["HfApi"]:
    """The client of the hub; its errors become a HubError with the next step."""
    try:
        from httpx2 import HTTPError
        from huggingface_hub import HfApi
        from huggingface_hub.errors import EntryNotFoundError
        from huggingface_hub.utils.tqdm import disable_progress_bars, enable_progress_bars
    except ImportError as error:
        raise HubError("the hub needs huggingface_hub: pip install 'verydeep[hub]'") from error
    (enable_progress_bars if progress_bars else disable_progress_bars)()
    try:
        yield HfApi(endpoint=hub_endpoint(), library_name="verydeep")
    # A failed upload is a RuntimeError, or a ConnectionError of hf_xet; a bad name or card is a ValueError.
    except (HTTPError, EntryNotFoundError, ConnectionError, RuntimeError, ValueError) as error:
        raise HubError(_error_text(error, repo, revision)) from error


def _error_text(error: Exception, repo: str, revision: str | None) -> str:
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HfHubHTTPError,
        HFValidationError,
        RevisionNotFoundError,
    )

    endpoint = hub_endpoint()
    for known in (error, error.__cause__):
        if isinstance(known, RevisionNotFoundError):
            return f"{repo} on {endpoint} has no revision {revision!r}. Give a branch, a tag or a commit"
        if isinstance(known, HfHubHTTPError):
            return _response_text(known.response.status_code, repo, endpoint)
    if isinstance(error, HFValidationError):
        return f"{repo!r} is not a repository name; expected user/name. {error}"
    if isinstance(error, EntryNotFoundError):
        why = f"{variable} is set, and it is not cached" if (variable := offline()) else _first_line(error)
        return f"Could not download {repo} from {endpoint}: {why}"
    if isinstance(error, ConnectionError):
        return (
            f"the connection to {endpoint} was lost: {_first_line(error)}. If the server does not "
            "support Xet, set HF_HUB_DISABLE_XET=1 in the environment"
        )
    if isinstance(error, RuntimeError | ValueError):
        return f"{repo}: {_first_line(error.__cause__ or error)}"
    return f"{endpoint} did not answer: {_first_line(error)}"


def _response_text(status: int, repo: str, endpoint: str) -> str:
    """What the HTTP status means for ``repo``, and the next step."""
    if status == 401:
        return (
            f"you are not logged in to {endpoint}, or {repo} does not exist. Log in with `hf auth login`, "
            "or set HF_TOKEN"
        )
    if status == 403:
        return f"your account on {endpoint} may not use {repo}. Give a repository of your own: user/name"
    if status == 404:
        return f"{endpoint} has no {repo} with a {FILE}. If it is private, log in with `hf auth login`"
    return f"{endpoint} answered {status} for {repo}. Try again later"


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
