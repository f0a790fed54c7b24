#!/usr/bin/env python3
"""Durable one-to-one messages: the store alone against bare inserts (P6), then the whole server.

usage: bench/durable.py BUILD
"""
import re
import subprocess
import sys
import tempfile

import harness

ROUNDS = 5


def store_alone(build):
    with tempfile.TemporaryDirectory(prefix="ringtalk-bench.") as folder:
        command = [f"{build}/bench/store/bench_store", "40000", "500", str(ROUNDS), folder]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def column(side, unit):
        found = re.findall(rf"^{side} .*?([\d.]+) {unit}", printed, re.M)
        return [float(value) for value in found]

    print("### The store alone, 64 B, at most 256 messages a commit, a new file for each run\n")
    harness.head("", "messages/s", "commits/s", "CPU, µs/message")
    for name, side in (("bare batched inserts of the same rows", "bare"), ("our store", "ours")):
        harness.row(name, harness.text(column(side, "messages/s")),
                    harness.text(column(side, "commits/s")),
                    harness.text(column(side, "us CPU each"), 1))
    pairs = zip(column("bare", "messages/s"), column("ours", "messages/s"))
    ratios = [ours / bare for bare, ours in pairs]
    print(f"\nOurs against bare, pair by pair: {harness.text(ratios, 2)}.\n")
    harness.figure("P6", ratios)


def one_run(build, clients, seed):
    with harness.Server(build) as server:
        return server.run("direct", "--connections", str(clients), "--duration", "5",
                          "--seed", str(seed), "--set", "direct.window=8")


def whole_server(build):
    print("\n### The whole server, both ends on this machine, 8 messages in flight per client\n")
    harness.head("clients", "acknowledged/s", "ack p50, ms", "ack p99, ms",
                 "server CPU, µs/message", "verdict")
    for clients in (64, 1000):
        runs = [one_run(build, clients, seed) for seed in (1, 2, 3)]
        ack = [run["latency"]["ack"] for run in runs]
        harness.row(f"{clients:,}",
                    harness.text([run["rates"]["acknowledged_per_s"] for run in runs]),
                    harness.text([each["p50"] / 1000 for each in ack], 1),
                    harness.text([each["p99"] / 1000 for each in ack], 1),
                    harness.text([run["cost"]["server_cpu_ns_per_message"] / 1000
                                  for run in runs], 1),
                    ", ".join(sorted({harness.verdict(run) for run in runs})))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    store_alone(sys.argv[1])
    whole_server(sys.argv[1])
