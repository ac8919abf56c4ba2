"""The lab's report: one page that explains itself, from what a run left on disk.

In: the run directory and its seeds. Out: `report.html`, one file without scripts that needs no network. The words of
the page are in `report.html` beside this file, its looks in `report.css`; here its figures are put in. What the page
says of the result follows from the figures (`ralign.lab.claims`); a figure that is missing is a dash, a section without
figures says why.
"""

import json
import os
import platform
import re
import shlex
import sys
import webbrowser
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Final

import torch
from pydantic import TypeAdapter

from ralign import __version__
from ralign.files import write_atomically
from ralign.lab import claims
from ralign.lab.claims import Arms
from ralign.lab.config import LabConfig
from ralign.lab.options import LabOptions
from ralign.lab.page import tables
from ralign.lab.page.cards import attempts_cards, example_card
from ralign.lab.page.examples import Found, attempts, choose, find_examples
from ralign.lab.page.figures import bars, scatters, training_curves
from ralign.lab.page.styles import Look, legend, looks
from ralign.lab.results import SeedResult, read_result
from ralign.lab.statistics import predictions
from ralign.report.markup import Child, Html, join, number, tag

EXAMPLES: Final = 6
"""Shown in full; the first opens the page."""
_NAMES: Final = re.compile(r"<svg.*?</svg>|<[^>]*>|\b(?:R-Align|L-Acc|S-Corr|F-Score)\b", re.DOTALL)
_LIBRARIES: Final = ("torch", "numpy", "scipy")
QUICK: Final = "A quick run: every stage ran, none long enough to show what the method does"
_STANDINGS: Final[dict[claims.Standing, tuple[str, str]]] = {
    "holds": ("holds", "✓ holds"),
    "does not hold": ("fails", "✗ does not hold"),
    "not shown": ("open", "? not shown"),
    "so in this seed": ("holds", "✓ in this seed"),
    "not so in this seed": ("fails", "✗ not in this seed"),
}


def write_report(out: Path, seeds: Sequence[int], options: LabOptions) -> Path:
    """Write the page about these seeds of a run into its directory; returns its path.

    Raises:
        InputError: what the seeds should have left in `out` is missing or cannot be read.
    """
    results = [read_result(SeedResult, out / f"seed-{seed}" / "result.json") for seed in seeds]
    recipe = TypeAdapter(LabConfig)
    configs = [recipe.validate_json((out / f"seed-{seed}" / "config.json").read_bytes()) for seed in seeds]
    here = Path(__file__)
    page = Template(here.with_suffix(".html").read_text(encoding="utf-8"))
    slots = {name: join(child) for name, child in _slots(out, results, configs, options).items()}
    head, body, rest = page.substitute(
        slots, css=here.with_suffix(".css").read_text(encoding="utf-8")
    ).partition("<body>")
    # Only in the body: a title in the head would show tags as text.
    # A browser may break a line at the hyphen of R-Align or L-Acc; within tags and drawings nothing is changed.
    rest = _NAMES.sub(
        lambda match: match[0] if match[0].startswith("<") else f'<span class="nb">{match[0]}</span>', rest
    )
    path = out / "report.html"
    write_atomically(path, (head + body + rest).encode())
    return path


def open_page(path: Path) -> bool:
    """Open the page in a browser where someone sits before it: at a terminal, with a display. Says whether it did."""
    seen = sys.platform in ("darwin", "win32") or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    if not (seen and sys.stdout.isatty()):
        return False
    return webbrowser.open(path.resolve().as_uri())


def _slots(
    out: Path, results: Sequence[SeedResult], configs: Sequence[LabConfig], options: LabOptions
) -> dict[str, Child]:
    """Slot of the page's text -> its content in this run."""
    config, several = configs[0], len(results) > 1
    shown = looks(config.arms)
    arms = claims.compared_arms(config)
    predicted = predictions(results)
    # The base judge has no training of its own, and so no curve of rewards.
    trained = {name: look for name, look in shown.items() if "none" not in look.style}
    # Of the first seed alone: each seed is another world, where another answer is right.
    tried = attempts(out / f"seed-{results[0].seed}", config)
    recipe = f"preset {options.preset}" if options.recipe is None else f"recipe {options.recipe.name}"
    seeds = ", ".join(str(result.seed) for result in results)
    slots: dict[str, Child] = {
        "title": f"ralign lab: {recipe}",
        "eyebrow": f"ralign lab · {recipe} · seed{'s' if several else ''} {seeds}",
        "spread": (
            f"Means over {len(results)} seeds, and the standard deviation."
            if several
            else "Under a figure is its 95 % interval over pairs."
        ),
        "policies": (
            f"the mean of {config.policy_rl.repeats} policies trained against the judge; under it, how much they differ"
            if config.policy_rl.repeats > 1
            else "that of a policy trained against the judge"
        ),
        "judges": tables.judges_table(results, out, shown),
        "seeds": tables.seeds_table(results, shown),
        "bars": bars(results, shown),
        "legend": legend(shown, lines=True),
        "legend_dots": legend(shown, lines=False),
        "rewards": training_curves(results, trained, lambda arm: arm.judge_rewards, "mean reward"),
        "qualities": training_curves(results, shown, lambda arm: arm.policy_quality, "true quality"),
        "scatters": scatters(results, shown, predicted),
        "rival": (
            "The last one is the rival that needs no rationale: the same verdicts, on hard pairs."
            + ("" if several else " These are the judges of one seed: they settle nothing.")
        ),
        "bands": (
            "A line is the mean over the seeds; the band about it runs from the least to the greatest of them."
            if several
            else None
        ),
        "predictions": tables.predictions_table(results, predicted),
        "domains": tables.domains_table(results, config, shown),
        "leaning": None if arms is None else claims.leaning(results, arms),
        "exploited": claims.exploited(results, list(arms or shown)),
        "traits": tables.traits_table(results, shown),
        "attempts": attempts_cards(tried, shown),
        "probes": tables.probes_table(results, shown),
        "seed_caveat": (
            f"{len(results)} seeds are few; an interval over them is wide, and every seed is shown."
            if several
            else "This is one seed. Policies are noisy, and worlds differ: run the seeds that the recipe declares, "
            "--seeds declared, before you quote a figure."
        ),
        "made": _made(results, config, options, recipe),
        "version": __version__,
    }
    slots |= _nothing_compared(results) if arms is None else _compared(out, results, configs, arms, shown)
    # A headline gets quoted: that of a quick run must not be about its figures.
    if options.quick:
        complete = command_line(replace(options, quick=False, out=None))
        slots["headline"] = QUICK
        slots["consequence"] = join(
            ["To see what it does, run ", tag("code", complete), ", which takes a few minutes."]
        )
    return slots


def _nothing_compared(results: Sequence[SeedResult]) -> dict[str, Child]:
    """The slots of a recipe that has not both judges."""
    missing = "This recipe has not both an outcome-only judge and an R-Align judge: nothing is compared."
    return {
        "headline": "The judges of this run, measured",
        "consequence": f"The policies start at a true quality of {number(claims.start_quality(results))}.",
        "opening": None,
        "case": missing,
        "findings": tag("p", missing, class_="nothing"),
        "invented": missing,
        "exhibits": None,
    }


def _compared(
    out: Path,
    results: Sequence[SeedResult],
    configs: Sequence[LabConfig],
    arms: Arms,
    shown: Mapping[str, Look],
) -> dict[str, Child]:
    """The slots that set R-Align against outcome-only."""
    contrast = claims.contrasts(results, out, arms)
    found = [
        find_examples(out / f"seed-{config.seed}", config, of=arms.outcome, beside=arms.ralign)
        for config in configs
    ]
    chosen = choose([example for each in found for example in each.examples], EXAMPLES)
    cards = [example_card(example, shown[arms.outcome], shown[arms.ralign]) for example in chosen]
    entries: list[Html] = []
    for finding in claims.findings(results, arms, contrast):
        style, words = _STANDINGS[finding.standing]
        standing = tag("span", words, class_=f"standing {style}")
        entries.append(tag("li", standing, tag("div", tag("b", finding.claim), tag("p", finding.words))))
    lead = tag("p", "What the paper says of R-Align, against training on the outcome alone:", class_="prose")
    return {
        "headline": claims.headline(results, arms, contrast),
        "consequence": claims.consequence(results, arms, contrast),
        "opening": cards[:1],
        "case": (
            "Both judges prefer the better answer; look at what for."
            if chosen
            else "This run has no case of a right verdict for an invented reason beside one for gold’s."
        ),
        "findings": join([lead, tag("ul", entries, class_="claims")]),
        "invented": _invented(found, arms),
        "exhibits": cards[1:],
    }


def _invented(found: Sequence[Found], arms: Arms) -> str:
    outcome, ralign = map(claims.title, arms)
    right, spurious, invented = (sum(column) for column in zip(*(each[:3] for each in found), strict=True))
    both = sum(len(each.examples) for each in found)
    words = (
        f"Of {right:,} right verdicts of {outcome} on pairs as in training, {spurious:,} rest on another "
        f"reason than gold’s; {invented:,} of these on a false claim about the very factor that they call decisive."
    )
    honest = f"{ralign} is right for gold’s reason"
    if not both:
        return f"{words} On none of those pairs {honest}, so there is nothing to show."
    shown = "it opens this page" if both == 1 else "one opens this page, here are more"
    return f"{words} On {both:,} of those pairs {honest}; {shown}."


# A page is passed on without its run directory: it says itself how to make it again.
def _made(results: Sequence[SeedResult], config: LabConfig, options: LabOptions, recipe: str) -> Html:
    seconds = [result.base.cpu_seconds + sum(arm.cpu_seconds for arm in result.arms) for result in results]
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    facts = {
        "recipe": recipe,
        "seeds": ", ".join(str(result.seed) for result in results),
        "declared by the recipe": ", ".join(map(str, config.seeds)),
        "CPU seconds": " + ".join(f"{each:,.0f}" for each in seconds)
        + f" ({max(seconds):,.0f} at most for a seed)"
        if len(seconds) > 1
        else f"{seconds[0]:,.0f}",
        "versions": f"ralign {__version__}, Python {platform.python_version()}, {libraries}",
        "machine": f"{platform.system()} {platform.machine()}, {torch.get_num_threads()} torch thread",
    }
    resolved = json.dumps(json.loads(TypeAdapter(LabConfig).dump_json(config)), indent=1)
    return join(
        [
            tag("pre", command_line(options)),
            tag("dl", [[tag("dt", name), tag("dd", fact)] for name, fact in facts.items()], class_="made"),
            tag("details", tag("summary", "The recipe, resolved"), tag("pre", resolved)),
        ]
    )


def command_line(options: LabOptions) -> str:
    """The command that these options stand for; what has its default is left out."""
    words = ["ralign", "lab"]
    for option in fields(LabOptions):
        value = getattr(options, option.name)
        if value == option.default:
            continue
        words.append(f"--{option.name.replace('_', '-')}")
        if value is not True:
            words.append(str(value))
    return shlex.join(words)
