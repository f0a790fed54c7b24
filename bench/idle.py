#!/usr/bin/env python3
"""Idle connections: memory of both ends at 100,000 (P8), and CPU for each heartbeat.

usage: bench/idle.py BUILD [CONNECTIONS]
"""
import sys

import harness

SHARDS = 8


def available_bytes():
    with open("/proc/meminfo", encoding="utf-8") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))


def memory(build, connections):
    print(f"### {connections:,} connections, both ends here, a heartbeat every 15 s\n")
    before = available_bytes()
    lowest = before

    def watch():
        nonlocal lowest
        lowest = min(lowest, available_bytes())

    with harness.Server(build, "--shards", str(SHARDS), store="memory:") as server:
        run = server.run("idle", "--connections", str(connections), "--duration", "20",
                         while_running=watch)
    reached = run["connections"]["reached"]
    server_bytes = run["cost"]["server_user_bytes_per_connection"]
    load_bytes = run["connections"]["user_bytes_each"]
    all_bytes = (before - lowest) / max(reached, 1)
    harness.head("reached", "ramp, s", "server, user bytes each", "loadgen, user bytes each",
                 "kernel and user, both ends, bytes each", "heartbeats missed", "verdict")
    shown = [f"{value:,.0f}" if value is not None else "–"
             for value in (server_bytes, load_bytes, all_bytes)]
    harness.row(f"{reached:,}", f"{run['connections']['ramp_s']:.1f}", *shown,
                f"{run['heartbeats']['missed']:,}", harness.verdict(run))
    print()
    for key, value in (("P8.server", server_bytes), ("P8.loadgen", load_bytes),
                       ("P8.all", all_bytes)):
        if value is not None:
            harness.figure(key, [value])


def heartbeats(build):
    print("\n### 8,000 connections, a heartbeat a second from each\n")
    cpu = {"io_uring": [], "epoll": []}
    for _ in range(5):
        for backend, values in cpu.items():
            with harness.Server(build, "--shards", "1", "--backend", backend,
                                "--set", "heartbeat.interval_ms=1s", store="memory:") as server:
                run = server.run("idle", "--connections", "8000", "--duration", "8")
            process = next(each for each in run["processes"] if each["role"] == "server")
            values.append(process["cpu_s"] * 1e9 / run["heartbeats"]["answered"])
    harness.head("back end", "server CPU, ns/heartbeat")
    for backend, values in cpu.items():
        harness.row(backend, harness.text(values))
    ratios = [ours / epoll for ours, epoll in zip(cpu["io_uring"], cpu["epoll"])]
    print(f"\nOur io_uring against our epoll: {harness.text(ratios, 2)}.\n")
    harness.figure("P5.heartbeat", ratios)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    memory(sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else 100_000)
    heartbeats(sys.argv[1])
