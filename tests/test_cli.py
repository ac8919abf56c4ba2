"""The program as a user runs it: its exit code, what it prints, what it leaves.

In a process of its own only where that is the point: what is imported, and an interrupt.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.program import KEY, Ralign

from ralign.files import write_pairs
from ralign.records import Message, PreferencePair

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
    "OMP_NUM_THREADS": "1",
    "OPENAI_API_KEY": KEY,
    "COLUMNS": "100",
}
LLMBAR = ROOT.parent / "shared" / "data" / "llmbar"
PAPER = ROOT.parent / "shared" / "paper"


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "bakery.jsonl"
    write_pairs(
        path,
        (
            PreferencePair(
                id=f"loaf-{number}",
                conversation=(Message(role="user", content=f"How long does loaf {number} bake?"),),
                response_a=f"Loaf {number} bakes forty minutes.",
                response_b="Until it is done.",
                label="A" if number % 3 else "B",
                gold_judgment="A gives the time.",
                source={"benchmark": "bakery", "subset": "rye" if number % 2 else "wheat"},
            )
            for number in range(12)
        ),
    )
    return path


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    yield from serve()


def serve(*flags: str) -> Iterator[str]:
    command = [
        sys.executable,
        "-m",
        "ralign.models.testing.server",
        "--answer",
        "tests.runs.kill_server:answer",
        *flags,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def test_help_answers_at_once_and_names_the_commands() -> None:
    seconds: list[float] = []
    # Twice: the first time in a fresh environment, modules are compiled.
    for _ in range(2):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", "ralign", "--help"], capture_output=True, text=True, env=ENVIRONMENT
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert done.returncode == 0
    for command in ("lab", "bench", "compare", "correlate"):
        assert command in done.stdout
    # Of the processor, as the machine may be busy: 0.7 s. The bound tells a stage loaded by mistake (torch takes 2 s).
    assert min(seconds) < 1.2


def test_importing_ralign_and_its_command_line_brings_in_no_stage() -> None:
    code = "import sys, ralign.cli; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, check=True
    )
    assert not {"torch", "transformers", "numpy", "scipy", "aiohttp", "matplotlib"} & set(done.stdout.split())


def test_every_field_of_the_config_is_in_the_help_with_its_words(ralign: Ralign) -> None:
    done = ralign("bench", "--help")
    text = " ".join(done.stdout.replace("│", " ").split())
    assert "--meta-votes" in text
    assert "Odd, so that there is one." in text
    assert "--skip-bad-rows" in text
    # In Markdown, what stands between angle brackets would be markup, and vanish.
    assert "(?P<verdict>...)" in text
    assert "<scratchpad> </scratchpad>" in text


@pytest.mark.skipif(not LLMBAR.exists(), reason="the public data in ../shared is not there")
@pytest.mark.parametrize(
    ("judge", "right_ab", "right_ba", "right_in_both", "same", "no_verdict"),
    [
        ("gpt-4", 340, 341, 318, 374, 0),
        ("chatgpt", 168, 170, 82, 244, 5),
        ("palm2", 233, 258, 133, 192, 6),
    ],
)
def test_the_real_judgments_of_llmbar_come_out_as_published(
    ralign: Ralign,
    judge: str,
    right_ab: int,
    right_ba: int,
    right_in_both: int,
    same: int,
    no_verdict: int,
    tmp_path: Path,
) -> None:
    judgments = LLMBAR / f"judgments_{judge}.jsonl"
    done = ralign(
        "bench",
        LLMBAR / "pairs.jsonl",
        "--judgments",
        judgments,
        "--orders",
        "both",
        "--out",
        tmp_path / "run",
    )
    assert done.returncode == 0, done.stderr
    llmbar = json.loads((tmp_path / "run/results.json").read_text())["benchmarks"]["llmbar"]
    counts = llmbar["counts"]
    assert llmbar["pairs"] == 419
    assert (counts["right_ab"], counts["right_ba"]) == (right_ab, right_ba)
    assert (counts["right_in_both_orders"], counts["same_verdict"]) == (right_in_both, same)
    assert (counts["no_verdict"], counts["judgments"]) == (no_verdict, 838)
    assert set(llmbar["subsets"]) == {"natural", "neighbor", "gptinst", "gptout", "manual"}


# LLMBar's parser for PaLM 2 takes A wherever a line begins with "Output (a)", also one that goes on "is too short": the
# verdicts are not what the texts say in 145 of 838 cases. As an expression it gives the published counts; our format
# reads what the texts say.
PALM2 = r"(?s)\A(?=(?:.*\n)?Output \(a\))(?P<A>)|\A(?!(?:.*\n)?Output \(a\))(?=(?:.*\n)?Output \(b\))(?P<B>)"


@pytest.mark.skipif(not LLMBAR.exists(), reason="the public data in ../shared is not there")
@pytest.mark.parametrize(
    ("judge", "verdict", "counts"),
    [
        ("gpt-4", "llmbar", (340, 341, 318, 374, 0)),
        ("chatgpt", "llmbar", (168, 170, 82, 244, 5)),
        ("palm2", PALM2, (233, 258, 133, 192, 6)),
    ],
    ids=["gpt-4", "chatgpt", "palm2"],
)
def test_the_texts_of_llmbars_judges_alone_give_the_published_counts(
    ralign: Ralign, judge: str, verdict: str, counts: tuple[int, ...], tmp_path: Path
) -> None:
    texts = tmp_path / "texts.jsonl"
    with (LLMBAR / f"judgments_{judge}.jsonl").open(encoding="utf-8") as recorded, texts.open("w") as file:
        for row in map(json.loads, recorded):
            file.write(json.dumps({key: row[key] for key in ("pair_id", "order", "text")}) + "\n")
    command = (
        "bench",
        LLMBAR / "pairs.jsonl",
        "--judgments",
        texts,
        "--orders",
        "both",
        "--verdict",
        verdict,
    )
    done = ralign(*command, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "run/results.json").read_text())["benchmarks"]["llmbar"]
    names = ("right_ab", "right_ba", "right_in_both_orders", "same_verdict", "no_verdict")
    assert tuple(found["counts"][name] for name in names) == counts
    assert (found["counts"]["judgments"], found["failures"]["no_verdict"]) == (838, counts[-1])


def unreadable(tmp_path: Path, pairs: Path, count: int, text: str) -> tuple[Path, Path]:
    """So many pairs, and as many judgments of one text."""
    row = json.loads(pairs.read_text().splitlines()[0])
    many, judgments = tmp_path / "many.jsonl", tmp_path / "judgments.jsonl"
    many.write_text("".join(json.dumps({**row, "id": f"loaf-{at}"}) + "\n" for at in range(count)))
    judgments.write_text(
        "".join(json.dumps({"pair_id": f"loaf-{at}", "text": text}) + "\n" for at in range(count))
    )
    return many, judgments


def test_a_run_of_answers_that_cannot_be_read_stops_after_twenty_and_names_the_format(
    ralign: Ralign, pairs: Path, tmp_path: Path
) -> None:
    many, judgments = unreadable(tmp_path, pairs, 300, "A gives the time.\n\nMy final verdict is: [[A>B]]")
    command = ("bench", many, "--judgments", judgments)
    stopped = ralign(*command, "--out", tmp_path / "run")
    assert stopped.returncode == 2
    assert "20 of the last 20 judge answers could not be read: no \\boxed verdict (20)" in stopped.stderr
    assert "My final verdict is: [[A>B]]" in stopped.stderr
    assert "--verdict arena-hard would have read them" in stopped.stderr
    found = json.loads((tmp_path / "run/results.json").read_text())
    assert not found["complete"]
    assert found["benchmarks"]["bakery"]["failures"]["no_verdict"] == 20
    assert len((tmp_path / "run/judgments.jsonl").read_text().splitlines()) == 20
    done = ralign(*command, "--out", tmp_path / "run", "--keep-going")
    assert done.returncode == 0
    assert "Without a verdict" in done.stdout
    assert ralign(*command, "--verdict", "arena-hard", "--out", tmp_path / "right").returncode == 0
    found = json.loads((tmp_path / "right/results.json").read_text())["benchmarks"]["bakery"]
    assert found["counts"]["judgments"] == 300
    assert sum(found["failures"].values()) == 0
    # And a comparison says which of the two could not be read.
    compared = ralign("compare", tmp_path / "run", tmp_path / "right", "--json")
    assert [sum(of.values()) for of in json.loads(compared.stdout)["failures"].values()] == [300, 0]


@pytest.mark.skipif(not PAPER.exists(), reason="the paper's figures in ../shared are not there")
def test_correlate_gives_the_published_figures(ralign: Ralign, tmp_path: Path) -> None:
    columns = ("--x", "helpsteer3_l_acc", "--x", "helpsteer3_f_score", "--y", "downstream_average")
    done = ralign(
        "correlate", PAPER / "metric_vs_downstream.csv", *columns, "--plot", tmp_path / "figure.png"
    )
    assert "0.366" in done.stdout
    assert "0.947" in done.stdout
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    found = json.loads(ralign("correlate", PAPER / "metric_vs_downstream.csv", *columns, "--json").stdout)[
        "x"
    ]
    assert found["helpsteer3_l_acc"]["pearson"] == pytest.approx(0.366, abs=5e-4)
    assert found["helpsteer3_f_score"]["pearson"] == pytest.approx(0.947, abs=5e-4)


def test_a_missing_column_is_one_line_and_exit_code_2(ralign: Ralign, tmp_path: Path) -> None:
    (tmp_path / "figures.csv").write_text("model,f_score,result\na,1,2\nb,2,3\nc,3,5\n")
    done = ralign("correlate", tmp_path / "figures.csv", "--x", "l_acc", "--y", "result")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "no column 'l_acc'; there are 'model', 'f_score', 'result'" in done.stderr


def test_a_live_judge_and_meta_judge_and_the_comparison_of_two_runs(
    ralign: Ralign, pairs: Path, url: str, tmp_path: Path
) -> None:
    flags = ("--judge", "judge", "--judge-url", url, "--meta-judge", "meta-judge", "--price", "judge=1/2")
    first, second = tmp_path / "first", tmp_path / "second"
    done = ralign("bench", pairs, *flags, "--out", first, "--orders", "both")
    assert done.returncode == 0, done.stderr
    assert "bakery" in done.stdout
    results = json.loads((first / "results.json").read_text())
    assert results["benchmarks"]["bakery"]["counts"]["judgments"] == 24
    assert results["money"] > 0
    config = tomllib.loads((first / "config.toml").read_text())
    assert config["bench"]["judge"] == "judge"
    assert config["versions"]["ralign"]
    assert config["fingerprint"]["judge_prompt_digest"]

    assert ralign("bench", pairs, *flags, "--out", second, "--orders", "both", "--seed", "1").returncode == 0
    compared = ralign("compare", first, second)
    assert compared.returncode == 0, compared.stderr
    assert "sign-flip permutation" in compared.stdout
    assert "So many prompts show a difference" in compared.stdout
    as_json = json.loads(ralign("compare", first, second, "--json").stdout)
    assert as_json["benchmarks"]["bakery"]["pairs"] == 12


def test_the_config_of_a_run_is_a_recipe_for_it_and_a_flag_wins(
    ralign: Ralign, pairs: Path, url: str, tmp_path: Path
) -> None:
    flags = ("--judge", "judge", "--judge-url", url, "--limit", "3")
    assert ralign("bench", pairs, *flags, "--out", tmp_path / "first").returncode == 0
    recipe = tmp_path / "first/config.toml"
    done = ralign("bench", "--recipe", recipe, "--out", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    first, again = (json.loads((tmp_path / run / "results.json").read_text()) for run in ("first", "again"))
    assert again == first


def test_a_key_that_a_recipe_should_not_have_is_refused(ralign: Ralign, pairs: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('[bench]\njudge = "m"\njugde_url = "http://localhost:1"\n')
    done = ralign("bench", pairs, "--recipe", recipe)
    assert done.returncode == 2
    assert "jugde_url" in done.stderr
    assert "recipe.toml" in done.stderr


def test_another_seed_in_the_same_directory_is_refused_by_its_name(
    ralign: Ralign, pairs: Path, url: str, tmp_path: Path
) -> None:
    flags = ("--judge", "judge", "--judge-url", url, "--out", tmp_path / "run")
    assert ralign("bench", pairs, *flags).returncode == 0
    done = ralign("bench", pairs, *flags, "--seed", "1")
    assert done.returncode == 2
    assert "seed is 0 in this run, and 1 was asked for" in done.stderr


def test_a_dry_run_counts_what_is_owed_and_calls_nobody(ralign: Ralign, pairs: Path, tmp_path: Path) -> None:
    flags = (
        "--judge",
        "judge",
        "--judge-url",
        "http://127.0.0.1:9/v1",
        "--meta-judge",
        "m",
        "--out",
        tmp_path / "run",
    )
    dry = ("--price", "judge=1/2", "--dry-run", "--detect", "2")
    done = ralign("bench", pairs, *flags, "--orders", "both", *dry)
    assert done.returncode == 0, done.stderr
    assert "judge: 24 calls" in done.stdout
    assert "meta-judge: 0 to 24 calls" in done.stdout
    assert "in money" in done.stdout
    # (1.96 + .84)^2 / 2 / 12 prompts, and / .02^2.
    assert "bakery: two runs on 12 prompts show a difference in L-Acc from 57.2 points on" in done.stdout
    assert "A difference of 2 points takes 9,812 prompts" in done.stdout
    assert not (tmp_path / "run").exists()


def test_a_dry_run_of_a_finished_run_owes_nothing(
    ralign: Ralign, pairs: Path, url: str, tmp_path: Path
) -> None:
    flags = ("--judge", "judge", "--judge-url", url, "--out", tmp_path / "run")
    assert ralign("bench", pairs, *flags).returncode == 0
    assert "judge: 0 calls" in ralign("bench", pairs, *flags, "--dry-run").stdout


def test_bad_rows_stop_the_run_or_are_listed(ralign: Ralign, pairs: Path, url: str, tmp_path: Path) -> None:
    with pairs.open("a") as file:
        file.write('{"id": "x", "conversations": [{"role": "user", "content": "?"}], ')
        file.write('"response_A": "a", "response_B": "b", "gt_label": "C"}\n')
    flags = ("--judge", "judge", "--judge-url", url, "--out", tmp_path / "run")
    done = ralign("bench", pairs, *flags)
    assert done.returncode == 2
    assert "bakery.jsonl:13: gt_label is 'C', expected 'A', 'B', 'tie' or null" in done.stderr
    assert not (tmp_path / "run").exists()
    done = ralign("bench", pairs, *flags, "--skip-bad-rows")
    assert done.returncode == 0
    assert "1 bad row left out" in done.stdout
    assert "bakery.jsonl:13: gt_label is 'C'" in done.stdout.replace("\n", "")


def test_a_wrong_key_is_one_line_and_the_key_is_nowhere(ralign: Ralign, pairs: Path, tmp_path: Path) -> None:
    """The server repeats the key in its message, as some do."""
    script = tmp_path / "strict.py"
    script.write_text(
        "import asyncio\nfrom ralign.models.testing.server import ChatServer\n"
        "async def main():\n"
        "    async with ChatServer(key='another') as server:\n"
        "        print(server.url, flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        done = ralign("bench", pairs, "--judge", "judge", "--judge-url", address, "--out", tmp_path / "run")
        server.terminate()
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "OPENAI_API_KEY" in done.stderr
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(KEY.encode() in data for data in [*written, done.stderr.encode(), done.stdout.encode()])


def test_the_key_is_nowhere_after_a_good_run_either(
    ralign: Ralign, pairs: Path, url: str, tmp_path: Path
) -> None:
    done = ralign("bench", pairs, "--judge", "judge", "--judge-url", url, "--out", tmp_path / "run")
    assert done.returncode == 0
    written = [path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert written
    assert not any(KEY.encode() in data for data in [*written, done.stdout.encode(), done.stderr.encode()])


def test_interrupted_it_leaves_whole_lines_and_says_how_to_go_on(
    ralign: Ralign, pairs: Path, tmp_path: Path
) -> None:
    for url in serve("--latency", "0.3"):
        flags = ["--judge", "judge", "--judge-url", url, "--concurrency", "2", "--out", str(tmp_path / "run")]
        command = [sys.executable, "-m", "ralign", "bench", str(pairs), *flags]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
        )
        log = tmp_path / "run/judgments.jsonl"
        while not (log.exists() and log.stat().st_size):
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 130
        assert errors == "ralign: interrupted; what was answered is recorded, and the same command goes on\n"
        assert not json.loads((tmp_path / "run/results.json").read_text())["complete"]
        assert log.read_bytes().endswith(b"\n")
        done = ralign("bench", pairs, *flags)
        assert done.returncode == 0
        assert json.loads((tmp_path / "run/results.json").read_text())["complete"]


def test_an_unfinished_run_exits_with_1_and_says_what_is_owed(
    ralign: Ralign, pairs: Path, tmp_path: Path
) -> None:
    for url in serve("--fault", "500=0.5", "--seed", "3"):
        flags = ("--judge", "judge", "--judge-url", url, "--deadline", "0.2", "--out", tmp_path / "run")
        done = ralign("bench", pairs, *flags)
    assert done.returncode == 1
    assert "the same command asks for them again" in done.stdout
    owed = json.loads((tmp_path / "run/results.json").read_text())["owed"]["judgments"]
    assert 0 < owed < 12


def test_a_users_own_prompts_are_used_and_known_by_their_digest(
    ralign: Ralign, pairs: Path, url: str, tmp_path: Path
) -> None:
    prompt = tmp_path / "mine.txt"
    prompt.write_text(
        "[system]\nYou judge.\n[user]\n{conversation}\nA: {response_a}\nB: {response_b}\nSay \\boxed{A} or \\boxed{B}."
    )
    flags = ("--judge", "judge", "--judge-url", url, "--out", tmp_path / "run")
    assert ralign("bench", pairs, *flags, "--judge-prompt", prompt).returncode == 0
    done = ralign("bench", pairs, *flags)
    assert done.returncode == 2
    assert "judge_prompt_digest" in done.stderr
    prompt.write_text("Which is better? {response_a} {response_c}")
    done = ralign("bench", pairs, *flags, "--judge-prompt", prompt)
    assert done.returncode == 2
    assert "mine.txt" in done.stderr
    assert "{response_c}" in done.stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "give either --judge MODEL or --judgments FILE"),
        (("--judge", "m", "--detect", "2"), "--detect is 2, expected percentage points"),
        (("--judge", "m", "--meta-votes", "2"), "expected an odd number"),
        (("--judge", "m", "--price", "m=cheap"), "expected MODEL=INPUT/OUTPUT"),
        (
            ("--judge", "m", "--judge-url", "http://127.0.0.1:9", "--price", "n=1/2"),
            "which is none of the models asked (m)",
        ),
        (("--judgments", "missing.jsonl"), "missing.jsonl: "),
        (
            ("--judge", "m", "--judge-url", "http://127.0.0.1:9", "--judge-body", "[1]"),
            "expected a JSON object",
        ),
        (("--judge", "m", "--orders", "abba"), "abba"),
    ],
)
def test_a_wrong_flag_is_one_line_that_says_what_to_do(
    ralign: Ralign, pairs: Path, tmp_path: Path, flags, message: str
) -> None:
    done = ralign("bench", pairs, *flags, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("ralign: ")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr


TINY_LAB = """\
[lab]
seed = 0
showy = [0.9, 0.9, 0.9, 0.9]
[lab.model]
width = 16
heads = 2
[[lab.phases]]
steps = 3
showy = [0.7, 0.7, 0.7, 0.7]
critics = { substantive = [0.8, 0.8, 0.8, 0.8] }
[[lab.arms]]
name = "base"
reward = "none"
[[lab.arms]]
name = "r-align"
reward = "ralign"
[lab.judge_rl]
steps = 2
prompts = 4
[lab.policy_rl]
steps = 2
prompts = 4
evaluated = 40
[lab.benchmark]
pairs = 60
"""


def test_the_lab_runs_every_stage_and_takes_up_what_is_there(ralign: Ralign, tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(TINY_LAB)
    # In one process; `tests/lab/test_run.py` holds that several give the same.
    lab = ("lab", "--recipe", tmp_path / "tiny.toml", "--out", tmp_path / "lab", "--jobs", "1")
    first = ralign(*lab)
    assert first.returncode == 0, first.stderr
    assert "r-align" in first.stdout
    again = ralign(*lab)
    assert again.returncode == 0, again.stderr
    tables = first.stdout[first.stdout.index("Right, and for the right reasons?") :]
    assert "S-Corr, %" in tables
    assert again.stdout.endswith(tables)
    results = json.loads((tmp_path / "lab/seed-0/base/bench/results.json").read_text())
    assert [benchmark["pairs"] for benchmark in results["benchmarks"].values()] == [60, 60, 60]


def test_a_preset_that_is_not_there_is_named_with_those_that_are(ralign: Ralign, tmp_path: Path) -> None:
    done = ralign("lab", "--preset", "rosy", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "ralign: there is no preset 'rosy', expected one of collapse, graded, honest\n"
