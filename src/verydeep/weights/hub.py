"""Checkpoints to and from Hugging Face's hub, or the server of that kind that ``HF_ENDPOINT`` names."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from verydeep.download.download import offline
from verydeep.errors import CheckpointError, HubError
from verydeep.weights.catalog import hub_endpoint
from verydeep.weights.checkpoint_file import load

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi

FILE = "model.safetensors"
"""What a checkpoint is called in a repository, as in a run folder."""


@dataclass(frozen=True)
class Pushed:
    """What was put where."""

    repo: str
    url: str
    """The repository's page."""
    commit: str
    private: bool


def push(
    checkpoint: Path | str, card: str, repo: str, *, private: bool = False, bars: bool = False
) -> Pushed:
    """Put a checkpoint and its model card into the repository ``repo``, which is made where there is none.

    Args:
        checkpoint: a run folder, or a file; it is read first, so that nothing broken is published.
        card: the model card as Markdown, such as `verydeep.report.model_card.model_card` writes.
        repo: "user/name".
        private: whether only its owner may see it; a repository that all may see is then refused.
        bars: whether huggingface_hub draws its bars on stderr.

    Raises:
        CheckpointError: where there is no whole checkpoint.
        HubError: where the hub refuses or is not to be reached, with the next step.
    """
    path = Path(checkpoint)
    file = path / FILE if path.is_dir() else path
    load(file)
    if variable := offline():
        raise HubError(f"{hub_endpoint()} is not asked to take {repo}, because {variable} is set")
    with _hub(repo, bars) as api:
        page = api.create_repo(repo, private=private, exist_ok=True)
        is_private = bool(api.model_info(repo).private)
        if private and not is_private:
            raise HubError(f"{page} is public already. Make it private there first, or give another name")
        commit = api.create_commit(repo, _additions(file, card), commit_message="Push a verydeep checkpoint")
    return Pushed(repo, str(page), commit.oid, is_private)


def _additions(file: Path, card: str) -> list["CommitOperationAdd"]:
    from huggingface_hub import CommitOperationAdd

    return [CommitOperationAdd(FILE, file), CommitOperationAdd("README.md", card.encode())]


def pull(repo: str, *, revision: str | None = None, bars: bool = False) -> Path:
    """The checkpoint in the repository ``repo``, in Hugging Face's cache on this machine, and known whole.

    Where the environment says offline, it is what the cache has.

    Args:
        repo: "user/name".
        revision: a branch, tag or commit; the main branch by default.
        bars: whether huggingface_hub draws its bars on stderr.

    Raises:
        HubError: where there is no such repository or file, or the hub is not to be reached.
        CheckpointError: where the file is no checkpoint of this package.
    """
    cached = offline() is not None
    with _hub(repo, bars) as api:
        path = Path(api.hf_hub_download(repo, FILE, revision=revision, local_files_only=cached))
    try:
        load(path)
    except CheckpointError as error:
        raise CheckpointError(f"{repo} holds no verydeep checkpoint: {error}") from error
    return path


@contextmanager
def _hub(repo: str, bars: bool) -> Iterator["HfApi"]:
    """The hub's client; what it raises becomes words."""
    try:
        from httpx2 import HTTPError
        from huggingface_hub import HfApi
        from huggingface_hub.errors import EntryNotFoundError
        from huggingface_hub.utils.tqdm import disable_progress_bars, enable_progress_bars
    except ImportError as error:
        raise HubError("the hub needs huggingface_hub: pip install 'verydeep[hub]'") from error
    (enable_progress_bars if bars else disable_progress_bars)()
    try:
        yield HfApi(endpoint=hub_endpoint(), library_name="verydeep")
    # An upload that breaks off is a RuntimeError, or hf_xet's ConnectionError; a name or card, a ValueError.
    except (HTTPError, EntryNotFoundError, ConnectionError, RuntimeError, ValueError) as error:
        raise HubError(_in_words(error, repo)) from error


def _in_words(error: Exception, repo: str) -> str:
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError

    endpoint = hub_endpoint()
    for known in (error, error.__cause__):
        if isinstance(known, HfHubHTTPError):
            return _refusal(known.response.status_code, repo, endpoint)
    if isinstance(error, HFValidationError):
        return f"{repo!r} is no repository; expected user/name. {error}"
    if isinstance(error, EntryNotFoundError):
        why = f"{variable} is set, and it is not cached" if (variable := offline()) else _first_line(error)
        return f"{repo} could not be had from {endpoint}: {why}"
    if isinstance(error, ConnectionError):
        return (
            f"{endpoint} broke off: {_first_line(error)}. A server that does not know Xet is pushed to with "
            "HF_HUB_DISABLE_XET=1 in the environment"
        )
    if isinstance(error, RuntimeError | ValueError):
        return f"{repo}: {_first_line(error.__cause__ or error)}"
    return f"{endpoint} gave no answer: {_first_line(error)}"


def _refusal(status: int, repo: str, endpoint: str) -> str:
    """What an answer of the hub means for ``repo``, and what to do."""
    if status == 401:
        return (
            f"{endpoint} does not know you, or there is no {repo}. Log in by `hf auth login`, or set HF_TOKEN"
        )
    if status == 403:
        return f"{endpoint} knows you, but you may not use {repo}. Give a repository of your own: user/name"
    if status == 404:
        return f"{endpoint} has no {repo} with a {FILE}. A private one is seen only by those logged in"
    return f"{endpoint} answered {status} for {repo}. Try again later"


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
