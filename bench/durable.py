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
        printed = subprocess.run([f"{build}/bench/store/bench_store", "40000", "500", str(ROUNDS), folder],
                                 capture_output=True, text=True, check=True).stdout
    def column(side, pattern):
        found = re.findall(rf"^{side} .*?{pattern}", printed, re.M)
        return [float(value) for value in found]

    rate = r"([\d.]+) messages/s"
    each = r"([\d.]+) us CPU each"
    bare, ours = column("bare", rate), column("ours", rate)
    print("### The store alone, 64 B, batches of 256 at most, a file of its own for each run\n")
    print("| | messages/s | commits/s | CPU, µs/message |\n|---|---|---|---|")
    for name, side in (("bare batched inserts of the same rows", "bare"), ("ringtalk's store", "ours")):
        print(f"| {name} | {harness.text(column(side, rate))} | {harness.text(column(side, r'([0-9]+) commits/s'))} |"
              f" {harness.text(column(side, each), 1)} |")
    ratios = [b / a for a, b in zip(bare, ours)]
    print(f"\nOurs against bare, pair by pair: {harness.text(ratios, 2)}.\n")
    harness.figure("P6", ratios)


def whole_server(build):
    print("\n### The whole server, both ends on this machine\n")
    print("| clients | acknowledged/s | ack p50, ms | ack p99, ms | server CPU, µs/message | verdict |")
    print("|---|---|---|---|---|---|")
    for clients in (64, 1000):
        runs = []
        for seed in range(3):
            with harness.Server(build) as server:
                runs.append(server.run("direct", "--connections", str(clients), "--duration", "5", "--seed",
                                       str(seed + 1), "--set", "direct.window=8"))
        ack = [run["latency"]["ack"] for run in runs]
        verdicts = {"VALID" if run["valid"] and run["exit"] == 0 else "; ".join(run["invalid_reasons"]) or
                    f"exit {run['exit']}" for run in runs}
        print(f"| {clients:,}, 8 unacknowledged each | {harness.text([run['rates']['acknowledged_per_s'] for run in runs])} |"
              f" {harness.text([each['p50'] / 1000 for each in ack], 1)} | {harness.text([each['p99'] / 1000 for each in ack], 1)} |"
              f" {harness.text([run['cost']['server_cpu_ns_per_message'] / 1000 for run in runs], 1)} | {', '.join(verdicts)} |")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    store_alone(sys.argv[1])
    whole_server(sys.argv[1])
