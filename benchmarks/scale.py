"""The tables of docs/scale.md: a training step against a meta-judge fleet, and where the cost of a million pairs goes.

    python -m benchmarks.scale fleet [--completions 64 ... 4096] [--answer-tokens 500] [--step-ms 5] [--call-ms 0.4]
    python -m benchmarks.scale pairs [--pairs 1000000] [--price gold=2/12] [--price meta_judge=0.1/0.4] [--gpu-hour 2]

Both are models, not measurements: the figures they begin with are the defaults of `benchmarks/simulated_step.py`,
where each has its unit and its source. The whole first table takes a minute of one core.
"""

import argparse
from dataclasses import replace
from math import inf
from statistics import fmean

from benchmarks.pair_cost import STAGES, GoldWriting, pair_cost
from benchmarks.simulated_step import (
    TrainingStep,
    added_share,
    draw_samples,
    least_added_share,
    replicas_needed,
)

from ralign.models.price import parse_prices

SIZES = (64, 128, 256, 512, 1024, 2048, 4096)
MODES = (False, True)  # at the end, streaming


def chosen_step(arguments: argparse.Namespace) -> TrainingStep:
    """The default step with what the command line changes."""
    step = TrainingStep()
    fleet = replace(
        step.meta_judge,
        slots=arguments.slots,
        seconds_per_step=arguments.step_ms / 1000,
        seconds_per_call=arguments.call_ms / 1000,
    )
    return replace(
        step,
        group_size=arguments.group_size,
        right_share=arguments.right_share,
        failure_rate=arguments.failure_rate,
        meta_judge=fleet,
        deadline_seconds=inf,  # or what is over it would look like nothing
        meta_judgment=replace(step.meta_judgment, median=arguments.answer_tokens),
        judgment=replace(step.judgment, median=arguments.judgment_tokens),
    )


def print_fleet(arguments: argparse.Namespace) -> None:
    """One row a size of step: calls at the end / streaming. Shares are of the step without a reward that takes time."""
    head = (
        "completions",
        "rollout + update, s",
        "calls",
        "added by 1 replica",
        "least",
        f"replicas for {arguments.share:.0%}",
    )
    print_row(*head, "replicas for least + 1%")
    print_row(*["---"] * 7)
    for completions in arguments.completions:
        step = replace(chosen_step(arguments), completions=completions)
        samples = draw_samples(step, range(arguments.seeds))
        rollouts = [sample.rollout for sample in samples]
        one = [added_share(step, samples, streaming=mode) for mode in MODES]
        least = [least_added_share(step, samples, streaming=mode) for mode in MODES]
        for_share = [replicas_needed(step, samples, streaming=mode, share=arguments.share) for mode in MODES]
        for_least = [
            replicas_needed(step, samples, streaming=mode, share=floor + 0.01)
            for mode, floor in zip(MODES, least, strict=True)
        ]
        print_row(
            f"{completions:,}",
            f"{fmean(r.seconds for r in rollouts):.0f} + {fmean(r.update_seconds for r in rollouts):.0f}",
            f"{fmean(float(r.right.sum()) for r in rollouts):,.0f}",
            " / ".join(f"{share:.0%}" for share in one),
            " / ".join(f"{share:.1%}" for share in least),
            " / ".join("none" if count is None else str(count) for count in for_share),
            " / ".join("none" if count is None else str(count) for count in for_least),
        )


def print_pairs(arguments: argparse.Namespace) -> None:
    """One row a stage, for so many pairs."""
    prices = parse_prices(arguments.price)
    costs = pair_cost(chosen_step(arguments), GoldWriting(), epochs=arguments.epochs)
    print_row("stage", "calls", "tokens in", "of these read anew", "tokens out", "GPU hours", "money")
    print_row(*["---"] * 7)
    for stage in STAGES:
        cost = costs[stage]
        hours = None if cost.gpu_seconds is None else cost.gpu_seconds * arguments.pairs / 3600
        money = None
        if stage in prices:
            money = cost.money(prices[stage]) * arguments.pairs
        elif hours is not None and arguments.gpu_hour is not None:
            money = hours * arguments.gpu_hour
        counts = (cost.calls, cost.prompt_tokens, cost.new_prompt_tokens, cost.answer_tokens)
        print_row(
            stage.replace("_", "-"),
            *("" if count == 0 else f"{count * arguments.pairs / 1e6:,.1f} million" for count in counts),
            "" if hours is None else f"{hours:,.0f}",
            "" if money is None else f"{money:,.0f}",
        )


def print_row(*cells: str) -> None:
    """One row of a Markdown table, at once: the next may take a while."""
    print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=("fleet", "pairs"))
    parser.add_argument("--completions", type=int, nargs="+", default=SIZES, help="a step")
    parser.add_argument("--group-size", type=int, default=8)
    parser.add_argument("--right-share", type=float, default=0.75)
    parser.add_argument("--judgment-tokens", type=float, default=700, help="the judge's, at the median")
    parser.add_argument("--answer-tokens", type=float, default=500, help="the meta-judge's, at the median")
    parser.add_argument("--step-ms", type=float, default=5.0, help="a: one decoding step of the meta-judge")
    parser.add_argument("--call-ms", type=float, default=0.4, help="b: what each call of a batch adds to it")
    parser.add_argument("--slots", type=int, default=64, help="calls that a replica decodes at once")
    parser.add_argument("--failure-rate", type=float, default=0.01)
    parser.add_argument("--share", type=float, default=0.02, help="of the step that the reward may add")
    parser.add_argument("--seeds", type=int, default=5, help="steps drawn; the means are printed")
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--price", action="append", default=[], help="STAGE=INPUT/OUTPUT per million tokens")
    parser.add_argument(
        "--gpu-hour", type=float, help="what an hour of a GPU costs, for stages without a price"
    )
    arguments = parser.parse_args()
    (print_fleet if arguments.table == "fleet" else print_pairs)(arguments)


if __name__ == "__main__":
    main()
