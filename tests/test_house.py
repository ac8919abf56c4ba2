"""The house rules that no linter has: the shape of the code, and how tests are named and what they may assert."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src/ralign"
TESTS = ROOT / "tests"
SOURCES = {path: path.read_text(encoding="utf-8") for path in sorted(SOURCE.rglob("*.py"))}
TEST_MODULES = {
    str(path.relative_to(TESTS)): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(TESTS.rglob("test_*.py"))
}

MOST_USED_ONCE = 7.0
"""Private functions with a single use, per 1,000 lines of code."""
FEWEST_COMMENTS = 2.5
"""Comment lines, per cent."""
MOST_AT_P90 = 32
"""Lines of a function, without its docstring: nine in ten have at most this."""
LONGEST_FUNCTION = 80

# Test modules named after a behaviour; any other is named after the module it tests. `test_house` checks the lists.
BEHAVIOURS = {
    "benchmarks/test_figures.py",
    "benchmarks/test_pair_cost.py",
    "benchmarks/test_simulated_fleet.py",
    "benchmarks/test_simulated_step.py",
    "cluster/test_configuration.py",
    "cluster/test_reward_loop.py",
    "cluster/test_rollout.py",
    "cluster/test_two_nodes.py",
    "data/convert/test_convert.py",
    "examples/test_train_micro_judge.py",
    "files/test_atomic.py",
    "files/test_files.py",
    "files/test_scores.py",
    "files/test_sources.py",
    "judging/test_delimiters.py",
    "judging/test_public_names.py",
    "judging/test_seeding.py",
    "lab/test_probing.py",
    "lab/test_two_engines.py",
    "metajudging/test_parse.py",
    "metrics/test_coverage.py",
    "metrics/test_measures.py",
    "models/test_deadlines.py",
    "models/test_endpoint_url.py",
    "models/test_models.py",
    "models/test_openai_client.py",
    "models/test_price.py",
    "models/test_servers_replies.py",
    "models/test_transformers_serve.py",
    "runs/test_batch_commands.py",
    "runs/test_kill_and_resume.py",
    "runs/test_killed_batches.py",
    "runs/test_seventh_command.py",
    "serving/test_load.py",
    "serving/test_schema.py",
    "serving/test_trl.py",
    "test_house.py",
    "test_imports.py",
    "test_readme.py",
    "test_recipes.py",
    "test_rlhf_page.py",
    "test_scale_page.py",
    "training/engines/trl/test_grpo_training.py",
    "training/engines/verl/test_launch.py",
    "training/engines/verl/test_log.py",
    "training/engines/verl/test_policy_on_verl.py",
    "training/reward/test_judge_reward_over_http.py",
    "training/reward/test_open_judge_reward.py",
    "training/reward/test_reading.py",
    "training/tasks/test_policy_in_toy_environment.py",
    "training/test_flags.py",
    "training/test_goldens.py",
    "training/test_kill_and_resume.py",
    "training/test_policy_config.py",
    "training/test_policy_recipe.py",
    "training/test_several_processes.py",
}
# Clocks that a bound is read from although the machine may be busy; each entry says what the time itself shows.
CLOCK_BOUNDS = {
    # A loop that waits for another process must end at some time.
    "training/test_kill_and_resume.py",
    # Retries that would go on for 23 s or an hour, against bounds of seconds.
    "files/test_hub.py",
    "models/test_endpoint_model.py",
}
WALL_CLOCKS = {"time", "perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns", "time_ns"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def body_lines(function: Function) -> int:
    """Lines from `def` to the end, less the docstring's; decorators are not counted."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function, clean=False) is None:
        return lines
    documented = function.body[0]
    assert documented.end_lineno is not None
    return lines - (documented.end_lineno - documented.lineno + 1)


def used_once(text: str) -> list[str]:
    """The private functions of a module whose name stands in it exactly twice: once to define, once to use it."""
    named = [function.name for function in functions(ast.parse(text))]
    return [
        name
        for name in named
        if name.startswith("_") and name[:2] != "__" and len(re.findall(rf"\b{name}\b", text)) == 2
    ]


def test_few_private_functions_are_used_only_once() -> None:
    # A comment line is no code here, so that comments do not make room for such functions.
    lines = [line.strip() for text in SOURCES.values() for line in text.splitlines()]
    code = sum(1 for line in lines if line and not line.startswith("#"))
    once = {path.relative_to(SOURCE): used_once(text) for path, text in SOURCES.items()}
    count = sum(map(len, once.values()))
    worst = sorted(once.items(), key=lambda item: -len(item[1]))[:5]
    assert 1000 * count / code <= MOST_USED_ONCE, f"{count} in {code} lines; most in {worst}"


def comment_lines(text: str) -> int:
    """Lines that are a comment and nothing else; a hash in a string is none, so a tokenizer has to tell."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return sum(
        token.type == tokenize.COMMENT and not token.line[: token.start[1]].strip() for token in tokens
    )


def test_enough_lines_say_why() -> None:
    lines = sum(len(text.splitlines()) for text in SOURCES.values())
    assert 100 * sum(map(comment_lines, SOURCES.values())) / lines >= FEWEST_COMMENTS


def test_functions_are_as_long_as_a_reader_can_hold() -> None:
    lengths = {
        f"{path.relative_to(SOURCE)}:{function.lineno}": body_lines(function)
        for path, text in SOURCES.items()
        for function in functions(ast.parse(text))
    }
    too_long = {where: lines for where, lines in lengths.items() if lines > LONGEST_FUNCTION}
    assert not too_long
    assert sorted(lengths.values())[int(0.9 * len(lengths))] <= MOST_AT_P90


@pytest.mark.parametrize(
    ("text", "lengths", "once", "comments"),
    [
        ('def _a():\n    """Twice."""\n    return 1\n\n\n# Why.\n_a()  # what\n', [2], ["_a"], 1),
        (
            'def a():\n    """Long\n\n    # words."""\n    return _b() + _b()\n\ndef _b(): pass\n',
            [2, 1],
            [],
            0,
        ),
        ("class A:\n    async def _c(self):\n        # Why.\n        self._c()\n", [3], ["_c"], 1),
        ("class A:\n    def __d__(self):\n        pass\nA().__d__()\n", [2], [], 0),
    ],
)
def test_the_shape_of_a_module_counted_by_hand(
    text: str, lengths: list[int], once: list[str], comments: int
) -> None:
    assert [body_lines(function) for function in functions(ast.parse(text))] == lengths
    assert used_once(text) == once
    assert comment_lines(text) == comments


def mirrored(module: str) -> bool:
    """Whether a test module's path and name are those of a module, or package, of the source."""
    path = SOURCE / Path(module).parent / Path(module).stem.removeprefix("test_")
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def test_a_test_module_mirrors_a_module_or_is_named_after_a_behaviour() -> None:
    named_otherwise = {module for module in TEST_MODULES if not mirrored(module)}
    assert named_otherwise == BEHAVIOURS


def test_the_name_of_a_test_is_a_sentence() -> None:
    named = {
        (module, function.name)
        for module, tree in TEST_MODULES.items()
        for function in functions(tree)
        if function.name.startswith("test")
    }
    assert not {(module, name) for module, name in named if not re.fullmatch(r"test(_[^_]+){3,}", name)}


def test_a_test_asserts_more_than_that_something_can_be_called() -> None:
    bare = {
        f"{module}:{statement.lineno}"
        for module, tree in TEST_MODULES.items()
        for statement in ast.walk(tree)
        if isinstance(statement, ast.Assert) and is_call_of(statement.test, {"callable"})
    }
    assert not bare


def is_call_of(node: ast.AST, names: set[str]) -> bool:
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    return (function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")) in names


def asserts_on_wall_time(function: Function) -> bool:
    """Whether an assert compares a clock's reading, or a name that was assigned from one."""
    from_clock: set[str] = set()

    def reads_clock(node: ast.AST) -> bool:
        return any(
            is_call_of(part, WALL_CLOCKS) or (isinstance(part, ast.Name) and part.id in from_clock)
            for part in ast.walk(node)
        )

    # In the order of the text: `taken = clock() - started` makes `taken` a reading too.
    for node in sorted((n for n in ast.walk(function) if isinstance(n, ast.stmt)), key=lambda n: n.lineno):
        if (
            isinstance(node, ast.Assign)
            and reads_clock(node.value)
            and not isinstance(node.value, ast.Lambda)
        ):
            from_clock |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        if isinstance(node, ast.Assert) and any(
            reads_clock(part) for part in ast.walk(node.test) if isinstance(part, ast.Compare)
        ):
            return True
    return False


def test_no_test_asserts_on_wall_time() -> None:
    """A busy machine fails such a test. Time of the processor (`time.process_time`) may be bounded."""
    timed = {
        module
        for module, tree in TEST_MODULES.items()
        if any(asserts_on_wall_time(function) for function in functions(tree))
    }
    assert timed == CLOCK_BOUNDS


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("start = time.monotonic()\nwork()\nassert time.monotonic() - start < 2", True),
        ("start = perf_counter()\nwork()\ntaken = perf_counter() - start\nassert 1 < taken", True),
        ("start = time.process_time()\nassert time.process_time() - start < 2", False),
        ("start = time.monotonic()\nassert work(start)", False),
    ],
)
def test_a_bound_on_wall_time_is_recognized(body: str, found: bool) -> None:
    (function,) = functions(ast.parse("def test():\n    " + body.replace("\n", "\n    ")))
    assert asserts_on_wall_time(function) is found
