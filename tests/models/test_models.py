import subprocess
import sys

import ralign.models
from ralign.models.endpoint_model import EndpointModel


def test_the_public_names_are_these():
    assert ralign.models.__all__ == [
        "Batcher",
        "ChatModel",
        "LoadLocalModel",
        "ModelSpec",
        "Reply",
        "RetryPolicy",
        "Sampling",
        "ScriptedModel",
    ]
    assert all(hasattr(ralign.models, name) for name in ralign.models.__all__)


def test_models_bring_in_neither_torch_nor_transformers():
    code = "import sys, ralign.models.testing.server; print({'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_every_model_is_a_chat_model():
    """Checked by pyright, too; here for the one whose module pyright reads without its libraries' types."""
    protocol = {name for name in dir(ralign.models.ChatModel) if not name.startswith("_")}
    for model in (EndpointModel, ralign.models.ScriptedModel):
        assert protocol <= set(dir(model))
