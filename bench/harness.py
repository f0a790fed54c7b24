"""Starts a ringtalkd, runs loadgen against it and gives back run.json."""
import json
import os
import secrets
import signal
import subprocess
import tempfile
import time


class Server:
    """A ringtalkd of this build on a free port, with a store and a token key of its own."""

    def __init__(self, build, *arguments, store=None):
        self.folder = tempfile.TemporaryDirectory(prefix="ringtalk-bench.")
        self.key = os.path.join(self.folder.name, "token.key")
        self.build = build
        ports = os.path.join(self.folder.name, "ports.json")
        with open(os.open(self.key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
        command = [os.path.join(build, "src/ringtalkd"), "--listen", "127.0.0.1:0",
                   "--data-dir", os.path.join(self.folder.name, "data"),
                   "--token-key", self.key, "--ports-file", ports, *arguments]
        if store:
            command += ["--store", store]
        self.log = open(os.path.join(self.folder.name, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        for _ in range(1000):
            if os.path.exists(ports) or self.process.poll() is not None:
                break
            time.sleep(0.01)
        if not os.path.exists(ports):
            self.log.seek(0)
            raise SystemExit(f"ringtalkd did not start:\n{self.log.read()}")
        with open(ports, encoding="utf-8") as file:
            self.port = json.load(file)["client"]["port"]

    def run(self, scenario, *arguments, while_running=None):
        out = os.path.join(self.folder.name, "run")
        command = [os.path.join(self.build, "loadgen/loadgen"), "run", scenario,
                   "--target", f"127.0.0.1:{self.port}", "--token-key", self.key,
                   "--out", out, *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True) as load:
            while while_running and load.poll() is None:
                while_running()
                time.sleep(0.2)
            text = load.communicate()[0]
        path = os.path.join(out, "run.json")
        if not os.path.exists(path):
            raise SystemExit(f"loadgen left no run.json:\n{text}")
        with open(path, encoding="utf-8") as file:
            return json.load(file)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        self.folder.cleanup()


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def text(values, digits=0):
    low, middle, high = min(values), median(values), max(values)
    return f"{middle:,.{digits}f} ({low:,.{digits}f}–{high:,.{digits}f})"


def figure(key, values):
    low, middle, high = min(values), median(values), max(values)
    print(f"<!-- figure {key} {middle:.6g} {low:.6g} {high:.6g} -->")


def row(*cells):
    print("| " + " | ".join(cells) + " |")


def head(*cells):
    row(*cells)
    print("|---" * len(cells) + "|")


def verdict(run):
    if run["valid"] and run["exit"] == 0:
        return "VALID"
    return "INVALID: " + "; ".join(run["invalid_reasons"] or [f"exit {run['exit']}"])
