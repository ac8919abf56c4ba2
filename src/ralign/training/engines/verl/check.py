"""Whether verl takes a configuration: a program of its own, run by the Python that verl is installed in.

    python -m ralign.training.engines.verl.check OUT/config.yaml

Comes in: the file that `ralign.training.engines.verl.config` wrote. Goes out: `composed.yaml` beside it, with every key
as verl will see it, and exit code 0; or one line on standard error, and exit code 2. A program of its own, because verl
pins other versions than TRL does, and importing it takes seconds.

Hydra refuses a key it does not know on its command line, but takes it from a file, where a misspelt hyper-parameter
would silently keep its default. So every key of ours is looked up in verl's own configuration first.
"""

# verl is installed in an environment of its own, which the type checker does not see.
# pyright: reportMissingImports=false, reportUnknownParameterType=false

import copy
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import yaml
from hydra import compose, initialize_config_dir, initialize_config_module
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from verl.trainer.ppo.utils import need_critic, need_reference_policy
from verl.utils.config import validate_config

from ralign.errors import InputError

_NOT_SETTINGS = frozenset({"hydra", "defaults"})

_FREE = frozenset({"reward.custom_reward_function.reward_kwargs"})
"""Keys that verl reads and its own configuration does not have."""

_LAUNCH_NEEDS = ("transfer_queue", "vllm")
"""What a run needs and this check does not. Both come with `verl[vllm]`, which is for machines with GPUs."""


def main(arguments: list[str]) -> int:
    """Check one file; see the module."""
    path = Path(arguments[0]).resolve()
    try:
        composed = check(path)
    except InputError as error:
        print(f"{path}: {error}", file=sys.stderr)
        return 2
    path.with_name("composed.yaml").write_text(composed, encoding="utf-8")
    if absent := [name for name in _LAUNCH_NEEDS if find_spec(name) is None]:
        print(f"note: to train, this environment also needs {' and '.join(absent)}: pip install 'verl[vllm]'")
    return 0


def check(path: Path) -> str:
    """The whole configuration as verl will see it, as YAML.

    Raises:
        InputError: verl does not know a key of ours, or refuses a value.
    """
    ours: dict[str, object] = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        with initialize_config_module("verl.trainer.config", version_base=None):
            verls = OmegaConf.to_container(compose("ppo_trainer"))
        unknown = [
            key
            for name, value in ours.items()
            if name not in _NOT_SETTINGS
            for key in unknown_keys({name: value}, verls)
        ]
        if unknown:
            raise InputError(f"verl has no {', '.join(unknown)}")
        with initialize_config_dir(str(path.parent), version_base=None):
            composed = compose(path.stem)
        # The critic's model would be loaded with its configuration: a check downloads nothing.
        modelless = copy.deepcopy(composed)
        modelless.critic.model = None
        validate_config(
            config=modelless,
            use_reference_policy=need_reference_policy(composed),
            use_critic=need_critic(composed),
        )
        return cast(str, OmegaConf.to_yaml(composed))
    except (HydraException, OmegaConfBaseException, AssertionError, ValueError, TypeError) as error:
        raise InputError(" ".join(str(error).split()) or type(error).__name__) from error


def unknown_keys(ours: Mapping[str, object], verls: object, at: str = "") -> Iterator[str]:
    """The dotted names of our keys that verl's configuration does not have. Below an empty object all is allowed."""
    known = cast("Mapping[str, object]", verls) if isinstance(verls, Mapping) else {}
    for name, value in ours.items():
        key = f"{at}{name}"
        if key in _FREE or not known:
            continue
        if name not in known:
            yield key
        elif isinstance(value, Mapping):
            yield from unknown_keys(cast("Mapping[str, object]", value), known[name], f"{key}.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
