#!/usr/bin/env python3
"""The test runner against programs that behave like tests, well and badly; speaks TAP."""
import json
import os
import re
import stat
import subprocess
import sys
import tempfile

RUNNER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run_tests.py")

# A program with the command line and the output of a GoogleTest binary; CASES is name -> action.
FAKE = """#!{python}
import os, sys, time
cases = {cases!r}
chosen = list(cases)
for argument in sys.argv[1:]:
    if argument == "--gtest_list_tests":
        print("Running main() from fake")
        print("S.")
        for name in cases:
            print("  " + name.split(".")[1] + "  # GetParam() = 1")
        sys.exit(0)
    if argument.startswith("--gtest_filter="):
        chosen = argument.split("=", 1)[1].split(":")
status = 0
for name in chosen:
    if "DISABLED_" in name:
        continue
    print("[ RUN      ] " + name, flush=True)
    action = cases[name]
    end = "      OK"
    if action == "fail":
        print("seed 4711\\nfake.cc:1: Failure\\nunlike")
        end, status = " FAILED ", 1
    elif action == "crash":
        print("about to crash", flush=True)
        os.abort()
    elif action == "hang":
        time.sleep(600)
    elif action.startswith("skip"):
        print("fake.cc:1: Skipped\\n" + action[5:])
        end = " SKIPPED "
    elif action == "garble":
        print("no newline", end="")
    print("[" + end + " ] " + name + " (0 ms)", flush=True)
if "S.leak" in chosen:
    sys.exit(23)
sys.exit(status)
"""


def run(cases, arguments=(), env=None, protocol="gtest", program=None, timeout_factor="1"):
    """Runs the runner over one fake binary. Answers (exit status, counts, output)."""
    with tempfile.TemporaryDirectory() as build:
        path = os.path.join(build, "fake")
        with open(path, "w", encoding="utf-8") as file:
            file.write(program or FAKE.format(python=sys.executable, cases=cases))
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
        os.mkdir(os.path.join(build, "meson-info"))
        test = {"name": "fake", "cmd": [path], "env": {}, "suite": ["ringtalk:unit"],
                "protocol": protocol, "is_parallel": True, "timeout": 30, "workdir": None,
                "depends": []}
        with open(os.path.join(build, "meson-info", "intro-tests.json"), "w") as file:
            json.dump([test], file)
        clean = {key: value for key, value in os.environ.items() if key != "CI"}
        result = subprocess.run(
            [sys.executable, RUNNER, build, *arguments, "--timeout-factor", timeout_factor],
            capture_output=True, text=True, env={**clean, **(env or {})})
    lines = result.stdout.splitlines() or [""]
    match = re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) skipped", lines[-1])
    counts = tuple(int(number) for number in match.groups()) if match else None
    return result.returncode, counts, result.stdout + result.stderr


def test_counts_cases_and_ends_with_the_line():
    status, counts, _ = run({"S.a": "pass", "S.b": "pass", "S.c": "garble"})
    assert (status, counts) == (0, (3, 0, 0))


def test_a_failure_prints_log_seed_and_the_command():
    status, counts, output = run({"S.a": "pass", "S.b": "fail"})
    assert (status, counts) == (1, (1, 1, 0))
    assert "unlike" in output and "seed 4711" in output
    assert "RINGTALK_SEED=4711 ./tools/dev test S.b" in output


def test_a_crash_is_the_failure_of_one_test_and_the_rest_runs():
    status, counts, output = run({"S.a": "pass", "S.b": "crash", "S.c": "pass"})
    assert (status, counts) == (1, (2, 1, 0))
    assert "crashed: SIGABRT" in output and "about to crash" in output


def test_many_crashes_end_and_nothing_is_lost_from_the_count():
    cases = {f"S.t{number}": "crash" for number in range(9)}
    assert run(cases)[:2] == (1, (0, 9, 0))


def test_a_hang_is_ended_and_counted():
    status, counts, output = run({"S.a": "hang", "S.b": "pass"}, timeout_factor="0.005")
    assert (status, counts) == (1, (1, 1, 0))
    assert "timed out" in output


def test_a_binary_without_tests_is_a_failure():
    assert run({})[:2] == (1, (0, 1, 0))


def test_a_bad_exit_without_a_failed_test_is_a_failure():
    assert run({"S.leak": "pass"})[:2] == (1, (1, 1, 0))


def test_skips_are_listed_with_their_cause():
    status, counts, output = run({"S.a": "skip io_uring: seccomp", "S.DISABLED_b": "pass"})
    assert (status, counts) == (0, (0, 0, 2))
    assert "S.a: io_uring: seccomp" in output and "disabled in the source" in output


def test_an_io_uring_skip_fails_in_ci_and_others_do_not():
    status, counts, _ = run({"S.a": "skip io_uring: seccomp", "S.b": "skip no redis"},
                            env={"CI": "true"})
    assert (status, counts) == (1, (0, 1, 1))


def test_a_name_selects_one_case_exactly_or_by_part():
    cases = {"S.ab": "pass", "S.abc": "fail", "S.x": "fail"}
    assert run(cases, ["S.ab"])[:2] == (0, (1, 0, 0))
    assert run(cases, ["ab"])[:2] == (1, (1, 1, 0))
    assert run(cases, ["fake"])[:2] == (1, (1, 2, 0))
    assert run(cases, ["nothing"])[0] == 2


def test_other_programs_count_by_tap_or_by_exit_status():
    def shell(text, protocol):
        return run({}, protocol=protocol, program="#!/bin/sh\n" + text)[:2]

    assert shell("echo ok - a; echo 'not ok - b'; exit 1", "tap") == (1, (1, 1, 0))
    assert shell("echo 'ok - a # SKIP no'", "tap") == (0, (0, 0, 1))
    assert shell("echo ok - a; exit 3", "tap") == (1, (1, 1, 0))
    assert shell("exit 0", "exitcode") == (0, (1, 0, 0))
    assert shell("exit 77", "exitcode") == (0, (0, 0, 1))
    assert shell("exit 1", "exitcode") == (1, (0, 1, 0))


def main():
    failed = 0
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            try:
                test()
                print(f"ok - {name[5:]}", flush=True)
            except AssertionError as error:
                failed += 1
                line = error.__traceback__.tb_next.tb_lineno
                print(f"# run_tests_test.py:{line}\nnot ok - {name[5:]}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
