"""TRL as the engine of `ralign policy`: `ralign train`'s loop, with the policy's reward and what watches it.

The paper trains the policy with PPO. TRL has no PPO trainer any more, so here it is GRPO: the mean reward of a prompt's
group is the baseline instead of a value model.
"""

from dataclasses import dataclass

from ralign.errors import InputError
from ralign.files import AppendLog
from ralign.policy.command import Trained
from ralign.policy.config import PolicyConfig
from ralign.policy.lengths import LengthKeeper
from ralign.policy.open_reward import open_reward
from ralign.policy.signs_log import SIGNS
from ralign.policy.trl_reward import PROMPT_COLUMN, PolicyTrlReward
from ralign.policy.watch import OnStep, PolicyWatch
from ralign.rewards.stop_rules import StopRules
from ralign.training.command import TrainingRun
from ralign.training.start_model import Start
from ralign.training.trl_engine import RlRole
from ralign.training.trl_engine import train as train_with_trl


def train_policy(
    run: TrainingRun, config: PolicyConfig, rules: StopRules, on_step: OnStep = lambda step: None
) -> Trained:
    """Train, from the last whole checkpoint where there is one, and leave the model in `run.unfinished`.

    Raises:
        InputError: the model, an option or the sizes do not fit.
        EndpointRefused: the judge will refuse every call.
        MetaJudgeDown: the judge is down, and training was not to wait any longer.
    """
    lengths = LengthKeeper(
        config.length_penalty if config.reward_url is None else "none",
        coefficient=config.length_coefficient,
        target=config.length_target,
    )
    reward = _Reward(run, config, lengths)
    log = AppendLog(config.out / SIGNS) if run.main else None
    watch = PolicyWatch(
        take_graded=lambda: reward.opened.take_graded(),
        lengths=lengths,
        rules=rules,
        group_size=config.group_size,
        checkpoints=run.checkpoints,
        log=log,
        on_step=on_step,
    )
    role = RlRole(
        reward=reward.open,
        columns=lambda example: {PROMPT_COLUMN: example.pair.id},
        callbacks=(watch,),
    )
    try:
        data = train_with_trl(run, role)
    finally:
        if log is not None:
            log.close()
    return Trained(data, watch.fired)


@dataclass(slots=True)
class _Reward:
    """The reward function, made once the engine knows the model's tokens."""

    run: TrainingRun
    config: PolicyConfig
    lengths: LengthKeeper
    made: PolicyTrlReward | None = None

    @property
    def opened(self) -> PolicyTrlReward:
        """The reward function.

        Raises:
            InputError: the engine has not asked for it yet.
        """
        if self.made is None:
            raise InputError("no training is going on")
        return self.made

    def open(self, run: TrainingRun, start: Start, processes: int) -> PolicyTrlReward:
        """The reward function of one of so many processes."""
        config = self.config
        if config.against == "group" and (config.batch * config.group_size) // processes % config.group_size:
            raise InputError(
                f"--against group compares whole groups, and --batch {config.batch} on {processes} processes cuts "
                "them; give a multiple of the processes"
            )
        self.made = PolicyTrlReward(
            lambda: open_reward(
                config,
                self.lengths,
                run.local_model,
                processes=processes,
                tell=lambda line: run.console.print(line, style="yellow", highlight=False, soft_wrap=True),
            ),
            {example.pair.id: example.pair for example in run.data.examples},
            end_tokens=start.end_tokens,
            thought_opened=start.thought_opened,
        )
        return self.made
