#!/usr/bin/env python3
"""Makes docs/performance.md out of what the benchmarks print.

  report.py micro FILE.json          a table of Google Benchmark's results, and its figures
  report.py stamp PART.md            adds when, on what and from which sources a part was measured
  report.py assemble FOLDER OUT.md   goals, parts and notes in one page

A part is Markdown with comments that only this program reads:
  <!-- figure KEY MEDIAN MIN MAX -->   measured values, judged against GOALS
Explanations are written by people in bench/notes/PART.md and stand below the tables of their part.
"""
import json
import os
import platform
import re
import subprocess
import sys

PARTS = [
    ("peers", "A room beside Redis and NATS"),
    ("backends", "Bare loops and ringtalkd, io_uring and epoll"),
    ("latency", "Latency of both back ends at equal load"),
    ("durable", "Durable one-to-one messages"),
    ("idle", "Idle connections"),
    ("micro", "Hot classes"),
]
# Key, what it is, comparison, goal, part.
GOALS = [
    ("P1.1", "room of 1,000, window 1: CPU per delivery against Redis", "<=", 0.75, "peers"),
    ("P1.16", "the same, window 16", "<=", 0.50, "peers"),
    ("P1.128", "the same, window 128", "<=", 0.25, "peers"),
    ("calls.16", "system calls per delivery, window 16, io_uring", "<", 0.02, "peers"),
    ("P3", "room of 1,000, window 1: CPU against bare io_uring", "<=", 1.15, "backends"),
    ("P4.io_uring.64", "echo rate against bare io_uring, 64 connections", ">=", 0.80, "backends"),
    ("P4.io_uring.1000", "the same, 1,000 connections", ">=", 0.80, "backends"),
    ("P4.epoll.64", "echo rate against bare epoll, 64 connections", ">=", 0.80, "backends"),
    ("P4.epoll.1000", "the same, 1,000 connections", ">=", 0.80, "backends"),
    ("P5.echo", "io_uring against epoll, CPU per echo, 1,000 connections", "<=", 0.85, "backends"),
    ("P5.room", "the same, CPU per delivery in a room, window 1", "<=", 0.85, "backends"),
    ("P5.heartbeat", "the same, CPU per heartbeat of idle connections", "<=", 0.85, "idle"),
    ("P5.p99.5000", "the same, p99 of 5,000 echoes a second, open loop", "<=", 1.0, "latency"),
    ("P5.p99.20000", "the same, p99 of 20,000 echoes a second", "<=", 1.0, "latency"),
    ("P6", "durable messages/s against bare batched inserts", ">=", 0.70, "durable"),
    ("P8.server", "user bytes of the server per idle connection", "<=", 256, "idle"),
    ("P8.loadgen", "user bytes of loadgen per idle connection", "<=", 128, "idle"),
    ("P8.all", "kernel and user bytes, both ends, per connection", "<=", 7000, "idle"),
    ("P11.copies", "copies per recipient of a room message", "<=", 0, "peers"),
    ("P11.allocations", "allocations per recipient of a room message", "<=", 0, "peers"),
    ("sweep", "heartbeat sweep of 1,000,000 sessions, µs", "<=", 1000, "micro"),
]
FIGURE = re.compile(r"<!-- figure (\S+) (\S+) (\S+) (\S+) -->")


def run(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def number(value):
    if value != value:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def micro(path):
    print("| class | CPU time | items/s |\n|---|---|---|")
    for each in json.loads(read(path))["benchmarks"]:
        rate = f"{each['items_per_second']:,.0f}" if "items_per_second" in each else ""
        print(f"| {each['name']} | {each['cpu_time']:,.4g} {each['time_unit']} | {rate} |")
        if each["name"].startswith("heartbeat_sweep/1000000"):
            print(f"<!-- figure sweep {each['cpu_time']} {each['cpu_time']} {each['cpu_time']} -->")


def stamp(path):
    model = re.search(r"model name\s*: (.*)", read("/proc/cpuinfo"))
    memory = re.search(r"MemTotal:\s*(\d+)", read("/proc/meminfo"))
    dirty = run("git", "status", "--porcelain", "--untracked-files=no")
    line = ", ".join([
        f"*Measured {run('date', '-u', '+%Y-%m-%d %H:%M UTC')} from"
        f" {run('git', 'rev-parse', '--short=12', 'HEAD')}"
        f"{' with uncommitted changes' if dirty else ''}",
        run("g++", "--version").splitlines()[0] + ", release build; Linux " + platform.release(),
        model.group(1) if model else platform.machine(),
        f"{os.cpu_count()} cores",
        f"{int(memory.group(1)) // 1048576 if memory else '?'} GiB",
        f"loopback; load average of the minute before it ended {os.getloadavg()[0]:.1f}.*",
    ])
    with open(path, "a", encoding="utf-8") as file:
        file.write("\n" + line + "\n")


def judge(comparison, value, goal):
    return {"<=": value <= goal, "<": value < goal, ">=": value >= goal}[comparison]


def goals_table(figures):
    rows = ["| goal | is | should be | reached |", "|---|---|---|---|"]
    for key, text, comparison, goal, part in GOALS:
        name = key.split(".")[0]
        label = f"{name}: {text}" if re.match(r"P\d", name) else text
        should = f"{comparison.replace('<=', '≤').replace('>=', '≥')} {number(goal)}"
        if key not in figures:
            rows.append(f"| {label} | not measured: `./tools/dev bench {part}` | {should} | – |")
            continue
        median, low, high = figures[key]
        spread = "" if low == high else f" ({number(low)}–{number(high)})"
        reached = "yes" if judge(comparison, median, goal) else "**no**"
        rows.append(f"| {label} | {number(median)}{spread} | {should} | {reached} |")
    return "\n".join(rows)


def assemble(folder, out):
    figures, sections = {}, []
    for part, title in PARTS:
        text = read(os.path.join(folder, part + ".md"))
        if not text:
            continue
        for key, median, low, high in FIGURE.findall(text):
            figures[key] = (float(median), float(low), float(high))
        text = re.sub(r"<!--.*?-->\n?", "", text).strip()
        notes = read(os.path.join(os.path.dirname(__file__), "notes", part + ".md")).strip()
        sections.append(f"## {title}\n\n{text}\n" + (f"\n{notes}\n" if notes else ""))
    head = f"""# Performance

Written by `./tools/dev bench`; the tables are not edited by hand, what is said below them stands in
`bench/notes`. Figures are medians with the least and the greatest of all rounds; ratios are taken
round by round. Subjects run in turn within a round, each as a fresh process; in the first two parts
the server has one processor and the load the other. CPU is the server's process clock, all threads.
Absolute figures move with the host; the ratios are what counts.

## Goals

{goals_table(figures)}

"""
    with open(out, "w", encoding="utf-8") as file:
        file.write(head + "\n".join(sections))


if __name__ == "__main__":
    commands = {"micro": micro, "stamp": stamp, "assemble": assemble}
    if len(sys.argv) < 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
