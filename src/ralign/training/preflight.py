"""Preflight: a word with whoever rewards a training, before weights are loaded and completions written for nothing."""

from collections.abc import Callable

import aiohttp

from ralign.errors import CallFailed, EndpointRefused
from ralign.models import LoadLocalModel
from ralign.models.pool import ModelPool
from ralign.models.python import PythonFunction
from ralign.records import Message
from ralign.training.tasks.task import Task

# `ralign serve` takes connections while it loads its models, and answers when they are there: a service that was
# just started gets this long.
_TIMEOUT = aiohttp.ClientTimeout(total=30)


async def preflight(task: Task, local_model: LoadLocalModel, log: Callable[[str], object]) -> None:
    """Ask the models' endpoints a first question, or the reward service for its health. Local models are not asked.

    A model that does not answer the first question is logged and no reason to stop: the reward knows how to wait.

    Raises:
        EndpointRefused: no call can succeed, or there is no service at the address.
        InputError: an address, a key or a body that cannot be used.
    """
    if task.service_url is not None:
        await _check_service(task.service_url)
    for role, spec, sampling in task.preflight:
        # A model on this machine is loaded by the reward; a second copy may not fit beside it.
        if spec.url is None:
            continue
        # With the deadline and the sampling of training: what a provider refuses, it refuses here.
        async with ModelPool(
            local_model, concurrency=1, deadline=task.calls.deadline, try_timeout=task.calls.try_timeout
        ) as pool:
            model = await pool.open(spec)
            assert not isinstance(model, PythonFunction), "it has no URL"
            question = Message(role="user", content="Are you there? Say yes.")
            try:
                await model.reply((question,), sampling)
            except CallFailed as error:
                log(f"the {role} did not answer a first question ({error}); training begins all the same")


async def _check_service(url: str) -> None:
    address = f"{url.rstrip('/')}/health"
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session, session.get(address) as response:
            if response.status == 200:
                return
            found = f"answers {response.status}"
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        found = f"{type(error).__name__} {error}".rstrip()
    raise EndpointRefused(f"{address}: {found}; is that where `ralign serve` listens?")
