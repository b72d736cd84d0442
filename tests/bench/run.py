"""Runs the bench in a lab and prints its table: `make bench`."""

import argparse
import json
import os
import platform
import shutil
import sys
import time
from pathlib import Path

import lab

from . import subjects
from .rows import FULL, OURS, ROWS, SMOKE, medians

PEERS = ("haproxy", "nginx", "squid", "tinyproxy")


def progress(text):
    print(f"   {text}", file=sys.stderr, flush=True)


def wanted_subjects(peers):
    """Peers that are installed; without one its bars are not judged."""
    here = {p for p in peers if shutil.which(p, path="/usr/sbin:/usr/bin")}
    return here | {OURS, "floor", "10 rules", "openssl"}


def machine():
    model = "?"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


def prepare(azure):
    """Ports enough for tens of thousands of short connections."""
    script = (
        "echo 11000 65535 >/proc/sys/net/ipv4/ip_local_port_range;"
        "echo 1 >/proc/sys/net/ipv4/tcp_tw_reuse;"
        "echo 8192 >/proc/sys/net/core/somaxconn;"
        "echo 8192 >/proc/sys/net/ipv4/tcp_max_syn_backlog; true"
    )
    azure.run_as("root", ["sh", "-c", script])


def measure(azure, names, size, wanted):
    """One result a row: what was found, its medians, the bars."""
    results = []
    for kind in ROWS:
        if names and kind.name not in names:
            continue
        row = kind(azure, size)
        load_before = os.getloadavg()[0]
        found = row.run(wanted, progress)
        middle = medians(found)
        bars = [b.judge(middle) for b in row.bars]
        results.append(
            {
                "row": row.name,
                "what": row.__doc__,
                "unit": row.unit,
                "load_average": [load_before, os.getloadavg()[0]],
                "medians": middle,
                "rounds": found,
                "bars": [
                    {"bar": b[0], "measured": b[1], "met": b[2]}
                    for b in bars
                    if b
                ],
            }
        )
    return results


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def show(results, about, out):
    print(
        "{date}, {cpu}, {cores} cores, Linux {kernel}".format(**about),
        file=out,
    )
    for r in results:
        load = "load average {:.1f} to {:.1f}".format(*r["load_average"])
        print(f"\n{r['row']}: {r['what']} ({r['unit']}; {load})", file=out)
        for metric, by in r["medians"].items():
            name = "" if metric == "value" else f"{metric}: "
            cells = [f"{who} {number(v)}" for who, v in by.items()]
            print(f"  {name}{', '.join(cells)}", file=out)
        for b in r["bars"]:
            word = "met" if b["met"] else "MISSED"
            print(f"  {word:6} {b['bar']}: {number(b['measured'])}", file=out)
    bars = [b for r in results for b in r["bars"]]
    met = sum(b["met"] for b in bars)
    print(f"\n{met} of {len(bars)} bars met", file=out)


def main():
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("rows", nargs="*", help="only these rows")
    parser.add_argument("--smoke", action="store_true", help="seconds only")
    parser.add_argument(
        "--no-peers", action="store_true", help="only ours and the floors"
    )
    parser.add_argument(
        "--peers-without-logs", action="store_true", help="our audit stays on"
    )
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--json", type=Path, help="also write it there")
    args = parser.parse_args()
    size = dict(SMOKE if args.smoke else FULL)
    if args.rounds:
        size["rounds"] = args.rounds
    wanted = wanted_subjects(() if args.no_peers else PEERS)
    subjects.peers_log = not args.peers_without_logs
    missing = set(PEERS) - wanted
    if missing:
        progress(f"not installed (./bootstrap bench): {sorted(missing)}")
    with lab.up() as azure:
        prepare(azure)
        origins = subjects.Origins(azure)
        origins.start()
        results = measure(azure, set(args.rows), size, wanted)
        origins.stop()
    about = machine()
    show(results, about, sys.stdout)
    if args.json:
        text = json.dumps({"machine": about, "rows": results}, indent=1)
        args.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
