#!/usr/bin/env python3
"""Latency of both back ends at an equal open-loop load (the second half of P5).

usage: bench/latency.py BUILD
"""
import sys

import harness

ROUNDS = 7
CONNECTIONS = 1_000
RATES = (5_000, 20_000)


def echo(build, backend, rate):
    with harness.Server(build, "--shards", "1", "--backend", backend, store="memory:") as server:
        return server.run("echo", "--connections", str(CONNECTIONS), "--rate", str(rate),
                          "--duration", "4")


def at_rate(build, rate):
    print(f"### Echo of 64 B, {CONNECTIONS:,} connections, {rate:,} a second\n")
    runs = {"io_uring": [], "epoll": []}
    for turn in range(ROUNDS):
        for backend in list(runs)[::1 if turn % 2 == 0 else -1]:
            runs[backend].append(echo(build, backend, rate))
    harness.head("back end", "p50, µs", "p99, µs", "p99.9, µs", "server CPU, µs/echo", "verdicts")
    p99 = {}
    for backend, of_backend in runs.items():
        latency = [run["latency"]["echo"] for run in of_backend]
        p99[backend] = [each["p99"] for each in latency]
        cpu = []
        for run in of_backend:
            server = next(each for each in run["processes"] if each["role"] == "server")
            cpu.append(server["cpu_s"] * 1e6 / max(run["messages"]["delivered"], 1))
        verdicts = sorted({harness.verdict(run) for run in of_backend})
        harness.row(backend, harness.text([each["p50"] for each in latency]),
                    harness.text(p99[backend]), harness.text([each["p999"] for each in latency]),
                    harness.text(cpu, 1), "; ".join(verdicts))
    ratios = [ours / epoll for ours, epoll in zip(p99["io_uring"], p99["epoll"])]
    print(f"\nOur io_uring against our epoll, p99: {harness.text(ratios, 2)}.\n")
    harness.figure(f"P5.p99.{rate}", ratios)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for each_rate in RATES:
        at_rate(sys.argv[1], each_rate)
