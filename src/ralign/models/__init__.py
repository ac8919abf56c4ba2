"""Chat models: messages in, one reply out.

| module           | holds                                                                           |
| ---------------- | ------------------------------------------------------------------------------- |
| `model`          | the protocol `ChatModel`; `Sampling`, `Reply`; `ModelSpec`; prices of tokens     |
| `pool`           | `ModelPool`: the models of one run, connections shared                          |
| `calls`          | `ModelCalls`: how a model is asked; `ask`: one call                             |
| `python`         | `PythonFunction`: a function in the place of a model                            |
| `endpoint_model` | `EndpointModel`: a model behind an OpenAI-compatible endpoint                   |
| `endpoint`       | `Endpoint`: its URL, connections and key, and one try of a call                 |
| `protocol`       | a call's request and its answer as bytes; `endpoint_error`: answers that are none |
| `batch_endpoint` | `BatchEndpoint`: calls handed in together, by files and batches of an endpoint   |
| `retry`          | `RetryPolicy`: how long a call is tried; one timer for many calls in flight     |
| `local`          | `LocalModel`: a local Hugging Face model; needs torch and transformers          |
| `batching`       | `Batcher`: gathers concurrent calls into batches                                |
| `testing`        | `ScriptedModel`, and `ChatServer`, an endpoint with faults to order             |
"""

# Exported here is what needs the standard library alone: parsers and rewards import this package, and must not
# bring in aiohttp with it. Endpoint, EndpointModel, ModelPool, LocalModel and ChatServer come from their modules.
from ralign.models.batching import Batcher
from ralign.models.model import ChatModel, LoadLocalModel, ModelSpec, Reply, Sampling
from ralign.models.retry import RetryPolicy
from ralign.models.testing.scripted import ScriptedModel

__all__ = [
    "Batcher",
    "ChatModel",
    "LoadLocalModel",
    "ModelSpec",
    "Reply",
    "RetryPolicy",
    "Sampling",
    "ScriptedModel",
]
