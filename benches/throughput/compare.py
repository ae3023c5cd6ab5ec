"""Sweep throughput of tbot beside vectorbt: the same bars, the same rule, the same number of workers, one run.

    python3 -m venv venv && venv/bin/pip install "vectorbt[rust]"
    cargo build --release
    venv/bin/python benches/throughput/compare.py --tbot target/release/tbot

The rule: hold 100 shares while SMA(fast) - SMA(slow) > 1e-9 SMA(slow), decided at the close of a bar, filled at the
next open, 10 basis points of commission; 40 x 25 parameter sets over 100,000 one-minute bars of a random walk. Both
compute trades and the statistics of equity. vectorbt gets its compiled engine, moving averages computed once, ten
columns a call (its fastest here), and as many processes as tbot has threads; its imports and first call are not
counted. For tbot `run_s` counts: every trial with all its metrics, and the trial log; its CPU seconds are of the
whole command, with loading, judgement of the sweep and report. The final profits of every parameter
set are compared, so that both do the same work.
"""

import argparse
import datetime as dt
import json
import multiprocessing
import os
import pathlib
import resource
import subprocess
import tempfile
import time

FASTS, SLOWS = range(5, 45), range(50, 175, 5)
PAIRS = [(fast, slow) for fast in FASTS for slow in SLOWS]
COLUMNS = 10
CASH = 10_000_000.0


def sessions(tbot):
    lines = subprocess.run([tbot, "calendar", "--from", "2020-01-02", "--to", "2023-12-29"],
                           check=True, capture_output=True, text=True).stdout.split()[1:]
    parse = lambda text: dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return [(parse(line.split(",")[1]), parse(line.split(",")[2])) for line in lines]


def random_walk(tbot, bars, path):
    """Writes the bars and returns (opens, closes)."""
    import numpy as np

    rng = np.random.default_rng(7)
    steps = rng.integers(-8, 9, bars)
    close = 10_000 + np.cumsum(steps)
    close = np.maximum(close, 500)
    open_ = np.concatenate(([10_000], close[:-1]))
    high = np.maximum(open_, close) + rng.integers(0, 5, bars)
    low = np.minimum(open_, close) - rng.integers(0, 5, bars)
    written = 0
    with open(path, "w") as file:
        file.write("ts,open,high,low,close,volume\n")
        for begin, end in sessions(tbot):
            for minute in range(int((end - begin).total_seconds() // 60)):
                if written == bars:
                    break
                ts = (begin + dt.timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
                k = written
                file.write(f"{ts},{open_[k] / 100},{high[k] / 100},{low[k] / 100},{close[k] / 100},10000\n")
                written += 1
    assert written == bars, "the calendar is too short"
    return open_ / 100.0, close / 100.0


def run_tbot(args, data, folder):
    command = [args.tbot, "sweep", "--data", data, "--symbols", "WALK", "--strategy", "sma_cross", "--param", "qty=100",
               "--cash", str(CASH), "--fill", "next_open", "--slippage", "none", "--commission", "bps:10",
               "--latency-ms", "0", "--method", "grid",
               "--space", f"fast={FASTS[0]}..{FASTS[-1]}:1", "--space", f"slow={SLOWS[0]}..{SLOWS[-1]}:5",
               "--jobs", str(args.jobs), "--out", folder, "--json"]
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, "tbot failed"
    summary = json.loads(output)
    (run,) = pathlib.Path(folder).iterdir()
    trials = [json.loads(line) for line in open(run / "trials.jsonl")]
    profits = {(t["params"]["fast"], t["params"]["slow"]): t["metrics"]["total_return"] * CASH for t in trials}
    trades = sum(t["metrics"]["trades"] for t in trials)
    return {"run_s": summary["elapsed"]["run_s"], "wall_s": time.perf_counter() - begun, "cpu_s": usage.ru_utime,
            "peak_mb": usage.ru_maxrss / 1024, "profits": profits, "trades": trades}


def worker(opens, closes, pairs, ready, go, results):
    import numpy as np
    import pandas as pd
    import vectorbt as vbt

    n = len(closes)
    index = pd.date_range("2020-01-02", periods=n, freq="1min")
    close = pd.Series(closes, index=index)

    def average(period):
        sums = np.cumsum(np.insert(closes, 0, 0.0))
        out = np.full(n, np.nan)
        out[period - 1:] = (sums[period:] - sums[:-period]) / period
        return out

    def call(columns, averages):
        fast = np.column_stack([averages[fast] for fast, _ in columns])
        slow = np.column_stack([averages[slow] for _, slow in columns])
        above = fast - slow > 1e-9 * slow
        before = np.vstack([np.zeros((1, len(columns)), bool), above[:-1]])
        # A decision at the close of one bar is carried out at the open of the next.
        shift = lambda signal: pd.DataFrame(np.vstack([np.zeros((1, len(columns)), bool), signal[:-1]]), index=index)
        portfolio = vbt.Portfolio.from_signals(
            close, shift(above & ~before), shift(~above & before), price=pd.Series(opens, index=index),
            size=100, fees=0.001, init_cash=CASH, freq="1min")
        return (portfolio.total_return().to_numpy() * CASH, portfolio.sharpe_ratio().to_numpy(),
                portfolio.max_drawdown().to_numpy(), portfolio.trades.count().to_numpy())

    periods = {period for pair in pairs for period in pair}
    call(pairs[:COLUMNS], {period: average(period) for period in periods})
    ready.wait()
    go.wait()
    begun, cpu = time.perf_counter(), time.process_time()
    averages = {period: average(period) for period in periods}
    profits, trades = {}, 0
    for k in range(0, len(pairs), COLUMNS):
        answer = call(pairs[k:k + COLUMNS], averages)
        profits.update(zip(pairs[k:k + COLUMNS], answer[0]))
        trades += int(answer[3].sum())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    results.put((profits, trades, time.perf_counter() - begun, time.process_time() - cpu, peak))


def run_vectorbt(args, opens, closes):
    context = multiprocessing.get_context("spawn")
    ready, go, results = context.Barrier(args.jobs + 1), context.Event(), context.Queue()
    parts = [PAIRS[k::args.jobs] for k in range(args.jobs)]
    processes = [context.Process(target=worker, args=(opens, closes, part, ready, go, results)) for part in parts]
    for process in processes:
        process.start()
    ready.wait()
    begun = time.perf_counter()
    go.set()
    answers = [results.get() for _ in processes]
    wall = time.perf_counter() - begun
    for process in processes:
        process.join()
    profits = {}
    for answer in answers:
        profits.update(answer[0])
    return {"run_s": wall, "cpu_s": sum(a[3] for a in answers), "peak_mb": sum(a[4] for a in answers),
            "profits": profits, "trades": sum(a[1] for a in answers)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tbot", default="target/release/tbot")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--bars", type=int, default=100_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "WALK.csv")
        opens, closes = random_walk(args.tbot, args.bars, data)
        ours = run_tbot(args, data, os.path.join(folder, "out"))
        theirs = run_vectorbt(args, opens, closes)
    worst = max(abs(ours["profits"][pair] - theirs["profits"][pair]) for pair in PAIRS)
    work = args.bars * len(PAIRS)
    print(f"{len(PAIRS)} parameter sets x {args.bars} bars, {args.jobs} threads / processes")
    for name, result in [("tbot", ours), ("vectorbt", theirs)]:
        print(f"{name:10} {result['run_s']:8.3f} s  {result['cpu_s']:8.3f} CPU-s  {work / result['run_s'] / 1e6:8.1f} M bars/s"
              f"  {result['trades']} trades  peak {result['peak_mb']:.0f} MB")
    print(f"ratio of speed {theirs['run_s'] / ours['run_s']:.1f}, of CPU time {theirs['cpu_s'] / ours['cpu_s']:.1f}, "
          f"of memory 1 / {theirs['peak_mb'] / ours['peak_mb']:.1f}; largest difference of a profit {worst:.6f} dollars")


if __name__ == "__main__":
    main()
