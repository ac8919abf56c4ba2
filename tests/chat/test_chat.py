import subprocess
import sys

import ralign.chat


def test_the_public_names_are_these():
    assert ralign.chat.__all__ == [
        "Batcher",
        "ChatModel",
        "Endpoint",
        "EndpointModel",
        "LoadLocalModel",
        "ModelChoice",
        "OpenModels",
        "Patience",
        "Reply",
        "Sampling",
        "ScriptedModel",
        "split_thinking",
    ]
    assert all(hasattr(ralign.chat, name) for name in ralign.chat.__all__)


def test_chat_brings_in_neither_torch_nor_transformers():
    code = "import sys, ralign.chat, ralign.chat.server; print({'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_every_model_is_a_chat_model():
    """Checked by pyright, too; here for the one whose module pyright reads without its libraries' types."""
    protocol = {name for name in dir(ralign.chat.ChatModel) if not name.startswith("_")}
    for model in (ralign.chat.EndpointModel, ralign.chat.ScriptedModel):
        assert protocol <= set(dir(model))
