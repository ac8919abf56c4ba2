"""Results of the lab that no run has made: figures by hand, everything else the same for all."""

from ralign.lab.policy_rl import PolicyWorth
from ralign.lab.probes import Probes
from ralign.lab.results import ArmResult, BaseResult, Measured, PolicyResult, SeedResult

DOMAINS = ("town", "animal", "fruit", "colour")
PROBES = Probes(swapped=10, followed=0.25, spurious=4, fabricated=None, for_showier=None)


def worth(quality, **traits):
    shares = {"accuracy": quality, "instruction": quality, "completeness": quality, "bullets": 0.5}
    others = {"length": 3.0, "fillers": 0.0, "confident": 0.5, "praise": 0.0}
    by_domain = dict.fromkeys(DOMAINS, quality)
    return PolicyWorth(quality=quality, quality_by_domain=by_domain, **(shares | others | traits))


def policy(quality, **traits):
    return PolicyResult(worth=worth(quality, **traits), rewards=(), quality=(), cpu_seconds=1.0)


def arm(name, right, spurious, *qualities):
    """A judge with as many policies as there are qualities; never right, it has no S-Corr."""
    faithful = right * (1 - (spurious or 0.0))
    measured = Measured(label_accuracy=right, spurious_correctness=spurious, fidelity_score=faithful)
    return ArmResult(
        name=name,
        reward={"b": "none", "o": "outcome", "r": "ralign"}[name[0]],
        splits=dict.fromkeys(("train", "hard", "adversarial"), measured),
        by_domain=dict.fromkeys(DOMAINS, measured),
        probes=PROBES,
        policies=tuple(map(policy, qualities)),
        judge_rewards=(),
        cpu_seconds=1.0,
    )


def seed(number, *arms):
    base = BaseResult(true_claims=(1.0,), cpu_seconds=1.0)
    return SeedResult(seed=number, base=base, start=worth(0.5), arms=arms)
