#!/usr/bin/env python3
"""The last screen of `./tools/dev demo`: demo_report.py DEMO_DIR ROOT, from run.json alone."""
import json
import os
import sys

LINES_MAX = 25


def number(value, unit="", digits=0):
    return "unknown" if value is None else f"{value:,.{digits}f}{unit}"


def at(data, *keys):
    """The value under the keys, None where it or anything above it is missing or null."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def span(us):
    if us is None:
        return "unknown"
    if us < 1000:
        return f"{us:.0f} µs"
    return f"{us / 1e3:.1f} ms" if us < 1e6 else f"{us / 1e6:.2f} s"


def verdict(run):
    if not run["valid"]:
        return "INVALID: " + "; ".join(run["invalid_reasons"])
    missed = [threshold["expr"] for threshold in run["thresholds"] if not threshold["ok"]]
    if missed:
        return "VALID run, FAILED: " + "; ".join(missed)
    return "VALID: nothing lost, duplicated or reordered"


def latency_lines(run):
    names = {"ack": "acknowledged", "e2e": "end to end", "e2e_direct": "one-to-one",
             "e2e_room": "room"}
    for key, label in names.items():
        entry = at(run, "latency", key)
        if at(entry or {}, "count"):
            basis = "intended time" if entry.get("basis") == "intended" else "send"
            yield label, (f"p50 {span(entry['p50'])}, p99 {span(entry['p99'])} "
                          f"(from the {basis}, {entry['count']:,} samples)")


def rows(run, shown):
    connections, beats, rates = run["connections"], run["heartbeats"], run["rates"]
    messages, cost = run["messages"], run["cost"]
    yield "verdict", verdict(run)
    yield "connections", (f"{connections['reached']:,} of {connections['requested']:,} logged in "
                          f"in {number(connections['ramp_s'], ' s', 1)}, "
                          f"{connections['lost']:,} lost")
    yield "messages", (f"{number(rates['issued_per_s'])}/s sent, "
                       f"{number(rates['delivered_per_s'])}/s delivered; "
                       f"{number(messages['delivered'])} of "
                       f"{number(messages['expected'])} expected")
    yield from latency_lines(run)
    yield "heartbeats", (f"{beats['sent']:,} sent, {beats['answered']:,} answered, "
                         f"{beats['missed']:,} missed")
    yield "memory", (f"server {number(cost['server_user_bytes_per_connection'], ' B')}, loadgen "
                     f"{number(connections['user_bytes_each'], ' B')} of user space a connection")
    yield "cpu", (f"server {number(cost['server_cpu_ns_per_delivery'], ' ns')}, loadgen "
                  f"{number(cost['loadgen_cpu_ns_per_delivery'], ' ns')} a delivery")
    yield "back end", (f"server {at(run, 'server', 'backend') or 'unknown'}, "
                       f"loadgen {at(run, 'env', 'loadgen_backend') or 'unknown'}")
    yield "store", f"{shown}/data"
    yield "report", f"{shown}/run/run.json"


def screen(run, shown):
    """The lines of the screen; `shown` is the demo's folder as the reader would type it."""
    lines = [f"{label:13}{text}" for label, text in rows(run, shown)]
    lines += [
        "", "Next, from here:",
        f"  build/bin/ringtalkd --data-dir {shown}/data --token-key {shown}/token.key &",
        "  for c in register login; do build/bin/ringtalk $c ada <<< 'a long secret'; done",
        "  build/bin/ringtalk ping",
        f"  build/bin/loadgen run room --duration 10 --token-key {shown}/token.key",
    ]
    return lines[:LINES_MAX]


def main(directory, root):
    with open(os.path.join(directory, "run", "run.json"), encoding="utf-8") as file:
        run = json.load(file)
    print("\n".join(screen(run, os.path.relpath(directory, root))))


if __name__ == "__main__":
    main(*sys.argv[1:])
