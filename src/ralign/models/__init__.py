"""Chat models: messages in, one reply out.

| module           | holds                                                                      |
| ---------------- | -------------------------------------------------------------------------- |
| `model`          | the protocol `ChatModel`, `Sampling`, `Reply`                              |
| `endpoint_model` | `EndpointModel`: a model behind an OpenAI-compatible endpoint              |
| `opening`        | `ModelPool`: models as a command line names them, connections shared      |
| `price`          | what tokens cost                                                           |
| `scripted`       | `ScriptedModel`: says what it is told, for tests                           |
| `local`          | `LocalModel`: a local Hugging Face model; needs torch and transformers     |
| `server`         | `ChatServer`: an endpoint on this machine with faults to order, for tests  |
| `batching`       | `Batcher`: gathers concurrent calls into batches                           |
| `thinking`       | `split_thinking`: a reply's thinking apart from its answer                 |

`local` and `server` are imported from where they are: the one for its dependencies, the other because it is a
program as well (`python -m ralign.models.testing.server`).
"""

from ralign.models.batching import Batcher
from ralign.models.endpoint import Endpoint
from ralign.models.endpoint_model import EndpointModel
from ralign.models.model import ChatModel, Reply, Sampling
from ralign.models.pool import LoadLocalModel, ModelPool, ModelSpec
from ralign.models.retry import RetryPolicy
from ralign.models.testing.scripted import ScriptedModel
from ralign.thinking import split_thinking

__all__ = [
    "Batcher",
    "ChatModel",
    "Endpoint",
    "EndpointModel",
    "LoadLocalModel",
    "ModelPool",
    "ModelSpec",
    "Reply",
    "RetryPolicy",
    "Sampling",
    "ScriptedModel",
    "split_thinking",
]
