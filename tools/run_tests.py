#!/usr/bin/env python3
"""Runs the tests that meson knows and counts test cases, not binaries.

Reads meson-info/intro-tests.json of a build directory. GoogleTest binaries are followed line by
line: a crash or a time-out is a failure of the test that was running, and the tests behind it are
run in a fresh process. Other tests are programs that speak TAP, or that answer with their exit
status. The last line is `N passed, N failed, N skipped`; the exit status is 0 only when nothing
failed.
"""
import argparse
import fnmatch
import json
import os
import queue
import re
import shlex
import signal
import subprocess
import sys
import threading
import time

RESTARTS_MAX = 5
LOG_LINES_SHOWN = 80
SERIAL_SUITES = {"e2e", "serial"}
GTEST_LINE = re.compile(r"\[ *(RUN|OK|FAILED|SKIPPED) *\] ([\w/.]+)")
TAP_LINE = re.compile(r"^(not )?ok\b *\d* *-? *(.*?)(?:\s*#\s*(SKIP)\b *(.*))?$", re.I)
SEED = re.compile(r"\bseed[ =:]+(0x[0-9a-fA-F]+|\d+)")
SKIP_HEAD = re.compile(r"^\S+:\d+: Skipped\s*$|^\s*$")


class Case:
    """One test case: what it is called, how it ended, what it printed."""

    def __init__(self, binary, name, status, log="", cause="", seconds=0.0):
        self.binary, self.name, self.status = binary, name, status
        self.log, self.cause, self.seconds = log, cause, seconds


class Binary:
    """A test of meson: a GoogleTest binary or another program."""

    def __init__(self, entry, options):
        self.name = entry["name"]
        self.command = entry["cmd"]
        self.suites = {suite.split(":")[-1] for suite in entry["suite"]}
        self.is_gtest = entry["protocol"] == "gtest"
        self.is_tap = entry["protocol"] == "tap"
        self.serial = not entry["is_parallel"] or bool(self.suites & SERIAL_SUITES)
        self.timeout_s = max(entry["timeout"], 120) * options.timeout_factor
        self.env = {**os.environ, **(entry["env"] if isinstance(entry["env"], dict) else {})}
        self.cwd = entry["workdir"] or options.build
        self.depends = entry["depends"]
        self.only = None  # the names of the cases to run; None = all


class Runner:
    def __init__(self, options):
        self.options = options
        self.lock = threading.Lock()
        self.cases = []
        self.running = {}  # Binary -> text about what it does now
        self.groups = set()  # process groups that were started here and not ended yet
        self.stopping = False
        self.tty = sys.stdout.isatty()
        self.log_dir = os.path.join(options.build, "meson-logs", "cases")
        os.makedirs(self.log_dir, exist_ok=True)

    # --- processes -------------------------------------------------------------------------

    def follow(self, binary, arguments, on_line):
        """Runs the program in a process group of its own. Answers (status, timed_out)."""
        process = subprocess.Popen(
            binary.command + arguments, cwd=binary.cwd, env=binary.env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        with self.lock:
            self.groups.add(process.pid)
        timed_out = threading.Event()

        def end():
            timed_out.set()
            kill_group(process.pid)

        timer = threading.Timer(binary.timeout_s, end)
        timer.start()
        reader = threading.Thread(target=read_lines, args=(process.stdout, on_line), daemon=True)
        reader.start()
        status = process.wait()
        timer.cancel()
        kill_group(process.pid)  # whatever the test left behind, and holds the pipe
        reader.join(timeout=10)
        with self.lock:
            self.groups.discard(process.pid)
        return status, timed_out.is_set()

    def kill_all(self):
        with self.lock:
            self.stopping = True
            for group in self.groups:
                kill_group(group)

    # --- one binary ------------------------------------------------------------------------

    def run(self, binary):
        began = time.monotonic()
        with self.lock:
            self.running[binary] = "starting"
        try:
            if binary.is_gtest:
                cases = self.run_gtest(binary)
            else:
                cases = self.run_program(binary)
        except OSError as error:
            cases = [Case(binary, binary.name, "failed", cause=f"cannot be run: {error}")]
        self.finish(binary, cases, time.monotonic() - began)

    def run_gtest(self, binary):
        try:
            names, disabled = list_cases(binary)
        except subprocess.SubprocessError as error:
            log = "".join(filter(None, (error.stdout, error.stderr)))
            return [Case(binary, binary.name, "failed", log, f"cannot list its tests: {error}")]
        if not names and not disabled:
            return [Case(binary, binary.name, "failed", cause="has no tests")]
        if binary.only is not None:
            names = [name for name in names if name in binary.only]
            disabled = [name for name in disabled if name in binary.only]
        cases = [Case(binary, name, "skipped", cause="disabled in the source") for name in disabled]
        todo = list(names)
        for restart in range(RESTARTS_MAX + 1):
            if not todo or self.stopping:
                break
            whole = restart == 0 and binary.only is None
            done = self.run_gtest_once(binary, todo, whole, total=len(names))
            cases += done
            ended = {case.name for case in done}
            todo = [name for name in todo if name not in ended]
        cases += [Case(binary, name, "failed", cause="never run: the binary crashed too often")
                  for name in todo]
        return cases

    def run_gtest_once(self, binary, todo, whole, total):
        arguments = ["--gtest_color=no"]
        if not whole:
            arguments.append("--gtest_filter=" + ":".join(todo))
        log = GtestLog(binary, self, total - len(todo), total)
        status, timed_out = self.follow(binary, arguments, log.line)
        cause = ending(status, timed_out, binary.timeout_s)
        cases = log.cases
        if log.current is not None:
            cases.append(Case(binary, log.current, "failed", log.text(), cause or "ended within"))
        elif status != 0 and not any(case.status == "failed" for case in cases):
            # Nothing failed, yet the process did: a leak at exit, a destructor, a tear-down.
            cases.append(Case(binary, f"{binary.name} (outside of its tests)", "failed",
                              "\n".join(log.outside), cause))
            if timed_out or status < 0:
                return cases
            ended = {case.name for case in cases}
            cases += [Case(binary, name, "failed", cause="never run") for name in todo
                      if name not in ended]
        elif len(cases) < len(todo):
            ended = {case.name for case in cases}
            cases += [Case(binary, name, "failed", cause="the binary never ran it")
                      for name in todo if name not in ended]
        return cases

    def run_program(self, binary):
        lines = []
        status, timed_out = self.follow(binary, [], lines.append)
        cause = ending(status, timed_out, binary.timeout_s)
        if binary.is_tap:
            return tap_cases(binary, lines, status, cause)
        outcome = {0: "passed", 77: "skipped"}.get(status, "failed")
        text = "\n".join(lines)
        skip_cause = lines[-1] if outcome == "skipped" and lines else ""
        return [Case(binary, binary.name, outcome, text, skip_cause or cause)]

    # --- what is shown ---------------------------------------------------------------------

    def status(self, binary, text):
        with self.lock:
            self.running[binary] = text

    def finish(self, binary, cases, seconds):
        for case in cases:
            if case.status == "skipped" and case.cause.startswith("io_uring:") and in_ci():
                case.status = "failed"
                case.cause += " (a skip elsewhere, a failure with CI=true)"
        with open(os.path.join(self.log_dir, binary.name + ".log"), "w") as log:
            for case in cases:
                log.write(f"--- {case.status} {case.name} {case.cause}\n{case.log}\n")
        failed = sum(case.status == "failed" for case in cases)
        with self.lock:
            self.running.pop(binary, None)
            self.cases += cases
            if self.stopping:
                return
            self.clear()
            word = "FAILED" if failed else "ok"
            print(f"   {word:6} {binary.name:16} {tally(cases)}, {seconds:.1f} s", flush=True)

    def clear(self):
        if self.tty:
            print("\r\033[K", end="")

    def show_progress(self, seconds):
        with self.lock:
            now = ", ".join(f"{b.name} {text}" for b, text in self.running.items())
            if not now or self.stopping:
                return
            if self.tty:
                print(f"\r\033[K   {seconds:.0f} s: {len(self.cases)} done; {now}"[:110], end="")
            else:
                print(f"   {seconds:.0f} s: {len(self.cases)} done; running {now}")
            sys.stdout.flush()

    # --- all of them -----------------------------------------------------------------------

    def run_all(self, binaries):
        began = time.monotonic()
        work = queue.SimpleQueue()
        for binary in (b for b in binaries if not b.serial):
            work.put(binary)
        threads = [threading.Thread(target=self.drain, args=(work,), daemon=True)
                   for _ in range(self.options.jobs)]
        serial = threading.Thread(target=self.run_serial, daemon=True,
                                  args=(threads, [b for b in binaries if b.serial]))
        for thread in threads + [serial]:
            thread.start()
        shown = began
        while serial.is_alive():
            serial.join(timeout=0.25)
            now = time.monotonic()
            if now - shown >= (0.25 if self.tty else 15):
                self.show_progress(now - began)
                shown = now
        self.clear()

    def drain(self, work):
        while not self.stopping:
            try:
                self.run(work.get_nowait())
            except queue.Empty:
                return

    def run_serial(self, before, binaries):
        for thread in before:
            thread.join()
        for binary in binaries:
            if not self.stopping:
                self.run(binary)


class GtestLog:
    """Follows the output of a GoogleTest binary."""

    def __init__(self, binary, runner, before, total):
        self.binary, self.runner, self.before, self.total = binary, runner, before, total
        self.cases, self.current, self.lines, self.outside = [], None, [], []
        self.began = 0.0

    def line(self, line):
        match = GTEST_LINE.search(line)
        word, name = match.groups() if match else (None, None)
        if word == "RUN":
            self.current, self.lines, self.began = name, [], time.monotonic()
            number = self.before + len(self.cases) + 1
            self.runner.status(self.binary, f"{number}/{self.total} {name}")
        elif self.current is not None and word is not None and name == self.current:
            self.lines.append(line[:match.start()])
            self.end({"OK": "passed", "FAILED": "failed", "SKIPPED": "skipped"}[word])
        elif self.current is not None:
            self.lines.append(line)
        else:
            self.outside.append(line)

    def text(self):
        return "\n".join(self.lines)

    def end(self, status):
        cause = ""
        if status == "skipped":
            cause = " ".join(x.strip() for x in self.lines if not SKIP_HEAD.match(x))
        self.cases.append(Case(self.binary, self.current, status, self.text(), cause,
                               time.monotonic() - self.began))
        self.current = None


def read_lines(pipe, on_line):
    for raw in pipe:
        on_line(raw.decode("utf-8", "replace").rstrip("\n"))


def kill_group(group):
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def ending(status, timed_out, timeout_s):
    if timed_out:
        return f"timed out: the binary ran longer than {timeout_s:.0f} s"
    if status < 0:
        return f"crashed: {signal.Signals(-status).name}"
    return f"exit status {status}" if status else ""


def list_cases(binary):
    """The names in a GoogleTest binary, and those that are disabled."""
    output = subprocess.run(binary.command + ["--gtest_list_tests"], cwd=binary.cwd,
                            env=binary.env, stdin=subprocess.DEVNULL, capture_output=True,
                            text=True, timeout=60, check=True).stdout
    names, disabled, suite = [], [], ""
    for line in output.splitlines():
        word = line.split("#")[0].rstrip()
        if line.startswith("  "):
            name = suite + word.strip()
            (disabled if "DISABLED_" in name else names).append(name)
        elif word.endswith("."):
            suite = word
    return names, disabled


def tap_cases(binary, lines, status, cause):
    cases, notes = [], []
    for line in lines:
        match = TAP_LINE.match(line)
        if not match:
            notes.append(line[1:].strip() if line.startswith("#") else line)
            continue
        failed, name, directive, reason = match.groups()
        outcome = "skipped" if directive else "failed" if failed else "passed"
        # What a test says stands before its line.
        cases.append(Case(binary, f"{binary.name}.{name}", outcome, "\n".join(notes), reason or ""))
        notes = []
    if status != 0 and not any(case.status == "failed" for case in cases):
        cases.append(Case(binary, binary.name, "failed", "\n".join(lines), cause))
    return cases


def tally(cases):
    count = {status: sum(case.status == status for case in cases)
             for status in ("passed", "failed", "skipped")}
    return f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped"


def in_ci():
    return os.environ.get("CI") == "true"


def load(options):
    with open(os.path.join(options.build, "meson-info", "intro-tests.json")) as file:
        binaries = [Binary(entry, options) for entry in json.load(file)]
    if options.suite:
        wanted = set(options.suite.split(","))
        binaries = [binary for binary in binaries if binary.suites & wanted]
    return binaries


def select(binaries, name):
    """A binary's name, else the exact name of a test case, else a part of it (or a pattern)."""
    chosen = [binary for binary in binaries if binary.name == name]
    if chosen or not name:
        return chosen or binaries
    pattern = name if "*" in name else f"*{name}*"
    listed = []
    for binary in (binary for binary in binaries if binary.is_gtest):
        try:
            listed.append((binary, sum(list_cases(binary), [])))
        except (subprocess.SubprocessError, OSError) as error:
            print(f"{binary.name}: cannot list its tests: {error}", file=sys.stderr)
    for matches in (lambda case: case == name, lambda case: fnmatch.fnmatchcase(case, pattern)):
        for binary, names in listed:
            binary.only = {case for case in names if matches(case)}
        chosen = [binary for binary, _ in listed if binary.only]
        if chosen:
            return chosen
    return []


def print_targets(binaries, options):
    """What ninja has to build for these tests, one target a line."""
    with open(os.path.join(options.build, "meson-info", "intro-targets.json")) as file:
        outputs = {target["id"]: target["filename"] for target in json.load(file)}
    paths = {path for b in binaries for target in b.depends for path in outputs.get(target, [])}
    paths |= {b.command[0] for b in binaries if b.command[0].startswith(options.build + "/")}
    for path in sorted(paths):
        print(os.path.relpath(path, options.build))


def shown_log(log):
    lines = log.splitlines()
    if len(lines) <= LOG_LINES_SHOWN:
        return lines
    half = LOG_LINES_SHOWN // 2
    return lines[:half] + [f"... {len(lines) - 2 * half} lines ..."] + lines[-half:]


def report(cases, options):
    skipped = [case for case in cases if case.status == "skipped"]
    if skipped:
        print("\nskipped:")
        for case in skipped:
            print(f"   {case.name}: {case.cause or 'no cause given'}")
    for case in (case for case in cases if case.status == "failed"):
        print(f"\nFAILED {case.name}" + (f": {case.cause}" if case.cause else ""))
        for line in shown_log(case.log):
            print(f"   | {line}")
        seeds = SEED.findall(case.log)
        environment = f"RINGTALK_SEED={seeds[-1]} " if seeds else ""
        name = case.name if case.binary.is_gtest and "." in case.name else case.binary.name
        if seeds:
            print(f"   seed {seeds[-1]}")
        print(f"   repeat: {environment}{options.repeat} {shlex.quote(name)}")
    print()


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", help="a build directory of meson")
    parser.add_argument("name", nargs="?", default="", help="a binary, a test case, or a part")
    parser.add_argument("--suite", default="", help="only these labels, comma separated")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--timeout-factor", type=float, default=1.0)
    parser.add_argument("--repeat", default="./tools/dev test", help="the command that is shown")
    parser.add_argument("--counts", default="", help="append the three counts to this file")
    parser.add_argument("--targets", action="store_true", help="print what ninja must build")
    options = parser.parse_args(arguments)
    options.build = os.path.abspath(options.build)
    return options


def main(arguments):
    options = parse(arguments)
    binaries = load(options)
    if options.targets:
        named = [binary for binary in binaries if binary.name == options.name]
        print_targets(named or binaries, options)
        return 0
    chosen = select(binaries, options.name)
    if not chosen:
        known = ", ".join(sorted(binary.name for binary in binaries))
        print(f"no test is called '{options.name}'; binaries: {known}", file=sys.stderr)
        return 2
    runner = Runner(options)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        runner.run_all(chosen)
    except KeyboardInterrupt:
        runner.kill_all()
        print("\ninterrupted")
        return 130
    report(runner.cases, options)
    if options.counts:
        with open(options.counts, "a") as file:
            file.write(tally(runner.cases) + "\n")
    print(tally(runner.cases))
    passed = all(case.status != "failed" for case in runner.cases)
    return 0 if passed and runner.cases else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
