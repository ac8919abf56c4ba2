"""A word with whoever rewards a training, before weights are loaded and answers written for nothing."""

import aiohttp
from rich.console import Console

from ralign.errors import CallFailed, EndpointRefused
from ralign.models import LoadLocalModel, Sampling
from ralign.models.pool import ModelPool
from ralign.policy.config import PolicyConfig
from ralign.policy.open_reward import judge_choice
from ralign.records import Message

_PATIENCE = aiohttp.ClientTimeout(total=30)


async def greet(config: PolicyConfig, local_model: LoadLocalModel, console: Console) -> None:
    """Ask the judge's endpoint for a word, or the reward service how it is. A local judge is not asked.

    A judge that does not answer the first question is said and no reason to stop: the reward knows how to wait.

    Raises:
        EndpointRefused: no call can succeed, or there is no service at the address.
        InputError: an address, a key or a body that cannot be used.
    """
    if config.reward_url is not None:
        await _greet_service(config.reward_url)
        return
    if config.judge_url is None:
        return
    async with ModelPool(
        local_model, concurrency=1, deadline=config.deadline, try_timeout=config.try_timeout
    ) as opened:
        model = await opened.open(judge_choice(config))
        sampling = Sampling(temperature=config.judge_temperature, max_tokens=config.judge_max_tokens)
        try:
            await model.reply((Message(role="user", content="Are you there? Say yes."),), sampling)
        except CallFailed as error:
            said = f"the judge did not answer a first question ({error}); training begins all the same"
            console.print(said, style="yellow", markup=False, highlight=False, soft_wrap=True)


async def _greet_service(url: str) -> None:
    address = f"{url.rstrip('/')}/health"
    try:
        async with aiohttp.ClientSession(timeout=_PATIENCE) as session, session.get(address) as response:
            if response.status == 200:
                return
            found = f"answers {response.status}"
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        found = f"{type(error).__name__} {error}".rstrip()
    raise EndpointRefused(f"{address}: {found}; is that where `ralign serve` listens?")
