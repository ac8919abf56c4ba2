"""`ralign serve`: from a config to a server that answers what it took before it ends.

On SIGTERM (or Ctrl-C) it stops listening, answers every request it has taken, closes its connections to the models,
and ends. A second Ctrl-C ends it at once.
"""

import gc
import math
import os
import signal
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import uvicorn

from ralign.errors import InputError
from ralign.judging import ChatJudge, Judge, Prompt
from ralign.metajudging import META_PROMPT, ChatMetaJudge, MetaJudge
from ralign.models import LoadLocalModel
from ralign.models.pool import ModelPool
from ralign.serving.app import create_app
from ralign.serving.config import ServeConfig

# Length of the listen queue: a rollout of 1,024 answers may open as many connections at once.
_BACKLOG = 2048


class Models(NamedTuple):
    """Judge and meta-judge, ready to be asked."""

    judge: Judge
    meta_judge: MetaJudge | None


async def run_serve(
    config: ServeConfig, local_model: LoadLocalModel, progress: Callable[[str], None] = print
) -> None:
    """Serve until terminated. `progress` gets the address once connections are taken.

    Raises:
        InputError: the token, a prompt, an endpoint or the address cannot be used.
    """
    token = read_token(config)
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        # Bound before the models are opened: a port in use is said at once, and not after minutes of loading.
        listening = socket.create_server((config.host, config.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise InputError(f"cannot listen on {config.host} port {config.port}: {error.strerror}") from None
    try:
        async with open_models(config, local_model) as models:
            server = uvicorn.Server(
                uvicorn.Config(
                    create_app(config, models.judge, models.meta_judge, token=token),
                    log_level="warning",
                    access_log=False,
                    server_header=False,
                    # The models are opened around the application, not by it.
                    lifespan="off",
                    backlog=_BACKLOG,
                    # A request that was just taken may still need all of its deadline.
                    timeout_graceful_shutdown=math.ceil(config.deadline) + 5,
                )
            )
            # Uvicorn raises the signal again when it is done, for whoever waited; here nobody does.
            signal.signal(signal.SIGTERM, lambda number, frame: None)
            host, port = listening.getsockname()[:2]
            spare_collection()
            progress(f"http://{f'[{host}]' if ':' in host else host}:{port}")
            await server.serve(sockets=[listening])
    finally:
        listening.close()


def spare_collection() -> None:
    """Keep the garbage collector off what lives as long as the service, and let it run less often.

    A full collection over the modules and schemas of a web framework takes 50 to 190 ms, in which no request moves;
    under load there was one each second. Without the models' and the framework's own objects it takes a few.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def read_token(config: ServeConfig) -> str | None:
    """The token clients must bring; None only on loopback.

    Raises:
        InputError: it listens beyond loopback and the variable is not set, or the token cannot be a header.
    """
    token = os.environ.get(config.token_variable, "").strip()
    if not token:
        if config.beyond_loopback:
            raise InputError(
                f"--host {config.host} lets others call the judge: set {config.token_variable} to a token that "
                "clients must bring, or listen on 127.0.0.1"
            )
        return None
    if not (token.isascii() and token.isprintable()):
        raise InputError(f"the token in {config.token_variable} holds characters that no header can have")
    return token


@asynccontextmanager
async def open_models(config: ServeConfig, local_model: LoadLocalModel) -> AsyncGenerator[Models]:
    """The judge and the meta-judge, with their connections open. Models at the same address share its connections.

    Raises:
        InputError: a prompt, a key or an address cannot be used.
    """
    # One try may take all of it: a judgment is long, and nobody waits for one that comes after the deadline.
    async with ModelPool(
        local_model, concurrency=config.concurrency, deadline=config.deadline, try_timeout=config.deadline
    ) as opened:
        judge = ChatJudge(
            prompt=config.judge.prompt,
            sampling=config.judge.sampling,
            seed=config.seed,
            written_in=config.judge.written_in,
            model=await opened.open(config.judge.spec),
        )
        if config.meta_judge.meta_judge is None:
            yield Models(judge, None)
            return
        meta_judge = ChatMetaJudge(
            prompt=Prompt.load(config.meta_judge.meta_prompt, META_PROMPT),
            sampling=config.meta_judge.sampling,
            seed=config.seed,
            model=await opened.open(config.meta_judge.spec(config.judge.judge_url)),
        )
        yield Models(judge, meta_judge)
