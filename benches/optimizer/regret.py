"""Regret of the optimiser beside optuna and pymoo, on the same functions in the same run. See README.md."""

import argparse
import concurrent.futures
import csv
import json
import math
import os
import statistics
import subprocess
import sys
import time
import warnings

# Read when the numeric libraries are loaded: one thread a run, or the runs disturb each other.
for threads in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[threads] = "1"

BUDGETS = (30, 60, 120)
SEEDS = 20


def floats(low, high, count):
    return [{"name": f"x{i}", "type": "float", "low": low, "high": high, "log": False} for i in range(count)]


def branin(p):
    x, y = p["x0"], p["x1"]
    valley = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


HARTMANN_A = [
    [10, 3, 17, 3.5, 1.7, 8],
    [0.05, 10, 17, 0.1, 8, 14],
    [3, 3.5, 1.7, 10, 17, 8],
    [17, 8, 0.05, 10, 0.1, 14],
]
HARTMANN_P = [
    [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
    [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
    [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
    [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
]


def hartmann6(p):
    x = [p[f"x{i}"] for i in range(6)]
    return -sum(
        height * math.exp(-sum(a * (v - c) ** 2 for a, v, c in zip(row, x, centre)))
        for height, row, centre in zip((1.0, 1.2, 3.0, 3.2), HARTMANN_A, HARTMANN_P)
    )


def ackley5(p):
    x = [p[f"x{i}"] for i in range(5)]
    radius = math.sqrt(sum(v * v for v in x) / 5)
    waves = sum(math.cos(2 * math.pi * v) for v in x) / 5
    return -20 * math.exp(-0.2 * radius) - math.exp(waves) + 20 + math.e


def rosenbrock4(p):
    x = [p[f"x{i}"] for i in range(4)]
    return sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in zip(x, x[1:]))


def levy5(p):
    w = [1 + (p[f"x{i}"] - 1) / 4 for i in range(5)]
    ends = math.sin(math.pi * w[0]) ** 2 + (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2)
    return ends + sum((v - 1) ** 2 * (1 + 10 * math.sin(math.pi * v + 1) ** 2) for v in w[:-1])


def styblinski_tang4(p):
    x = [p[f"x{i}"] for i in range(4)]
    return sum(v**4 - 16 * v * v + 5 * v for v in x) / 2


def michalewicz5(p):
    x = [p[f"x{i}"] for i in range(5)]
    return -sum(math.sin(v) * math.sin(i * v * v / math.pi) ** 20 for i, v in enumerate(x, 1))


MIXED = [
    {"name": "rate", "type": "float", "low": 1e-4, "high": 1.0, "log": True},
    {"name": "level", "type": "float", "low": -1.0, "high": 1.0, "log": False},
    {"name": "period", "type": "int", "low": 1, "high": 30, "step": 1, "log": False},
    {"name": "average", "type": "categorical", "choices": ["sma", "ema", "wma"]},
    {"name": "filter", "type": "categorical", "choices": ["none", "adx", "vix"]},
    {
        "name": "strength",
        "type": "float",
        "low": 0.0,
        "high": 50.0,
        "log": False,
        "parent": {"name": "filter", "in": ["adx"]},
    },
    {
        "name": "ceiling",
        "type": "float",
        "low": 10.0,
        "high": 40.0,
        "log": False,
        "parent": {"name": "filter", "in": ["vix"]},
    },
]


def mixed(p):
    """0 at rate 0.01, level 0.3, period 12, average ema, filter adx with strength 22; the level that is best
    depends on the average, and every level has ripples around it."""
    level, offset = {"sma": (-0.4, 0.4), "ema": (0.3, 0.0), "wma": (0.6, 0.2)}[p["average"]]
    value = offset + 0.5 * (math.log10(p["rate"]) + 2) ** 2 + ((p["period"] - 12) / 10) ** 2
    value += 4 * (p["level"] - level) ** 2 + 0.3 * (1 - math.cos(3 * math.pi * (p["level"] - level)))
    if p["filter"] == "none":
        return value + 0.5
    if p["filter"] == "adx":
        return value + ((p["strength"] - 22) / 15) ** 2
    return value + 0.2 + ((p["ceiling"] - 18) / 10) ** 2


BRANIN = [
    {"name": "x0", "type": "float", "low": -5.0, "high": 10.0, "log": False},
    {"name": "x1", "type": "float", "low": 0.0, "high": 15.0, "log": False},
]

# Name: space, function, its minimum.
FUNCTIONS = {
    "Branin": (BRANIN, branin, 0.39788735772973816),
    "Hartmann6": (floats(0.0, 1.0, 6), hartmann6, -3.322368011415515),
    "Ackley5": (floats(-32.768, 32.768, 5), ackley5, 0.0),
    "Rosenbrock4": (floats(-5.0, 10.0, 4), rosenbrock4, 0.0),
    "Mixed": (MIXED, mixed, 0.0),
    "Levy5": (floats(-10.0, 10.0, 5), levy5, 0.0),
    "StyblinskiTang4": (floats(-5.0, 5.0, 4), styblinski_tang4, -4 * 39.16616570377142),
    "Michalewicz5": (floats(0.0, math.pi, 5), michalewicz5, -4.687658),
}
# Constants of the Bayesian method were chosen on the first ones; the others are there to check that.
USUAL = list(FUNCTIONS)[:5]

OURS = ("bayesian", "genetic")
REFERENCES = ("optuna GPSampler", "optuna TPESampler", "pymoo GA")


def is_active(parameter, params):
    parent = parameter.get("parent")
    return parent is None or params.get(parent["name"]) in parent["in"]


def run_tbot(tbot, algorithm, name, seed, budget):
    space, function, _ = FUNCTIONS[name]
    process = subprocess.Popen(
        [tbot, "optimizer", "ask-tell"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )

    def request(**message):
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        reply = json.loads(line) if line else {"ok": False, "error": "the program ended"}
        if not reply["ok"]:
            raise RuntimeError(f"{algorithm} on {name}, seed {seed}: {reply['error']}")
        return reply

    request(
        op="init",
        protocol=1,
        space=space,
        objectives=[{"name": "y", "direction": "minimize"}],
        constraints=0,
        seed=seed,
        budget=budget,
        batch=1,
        algorithm=algorithm,
        noisy=False,
    )
    rows = []
    for _ in range(budget):
        start = time.perf_counter()
        trials = request(op="ask", n=1)["trials"]
        seconds = time.perf_counter() - start
        if not trials:
            break
        value = function(trials[0]["params"])
        rows.append((value, seconds))
        request(op="tell", results=[{"id": trials[0]["id"], "status": "ok", "values": [value], "constraints": []}])
    request(op="close")
    process.wait()
    return rows


def run_optuna(sampler, name, seed, budget):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    space, function, _ = FUNCTIONS[name]
    samplers = {"optuna GPSampler": optuna.samplers.GPSampler, "optuna TPESampler": optuna.samplers.TPESampler}
    study = optuna.create_study(sampler=samplers[sampler](seed=seed))
    rows = []
    for _ in range(budget):
        # Values are drawn when they are asked for, so asking for all of them belongs to the suggestion.
        start = time.perf_counter()
        trial = study.ask()
        params = {}
        for p in space:
            if not is_active(p, params):
                continue
            if p["type"] == "categorical":
                params[p["name"]] = trial.suggest_categorical(p["name"], p["choices"])
            elif p["type"] == "int":
                params[p["name"]] = trial.suggest_int(p["name"], p["low"], p["high"], step=p["step"], log=p["log"])
            else:
                params[p["name"]] = trial.suggest_float(p["name"], p["low"], p["high"], log=p["log"])
        seconds = time.perf_counter() - start
        value = function(params)
        study.tell(trial, value)
        rows.append((value, seconds))
    return rows


def run_pymoo(name, seed, budget):
    import numpy
    from pymoo.algorithms.soo.nonconvex.ga import GA
    from pymoo.core.mixed import MixedVariableGA
    from pymoo.core.problem import ElementwiseProblem
    from pymoo.core.variable import Choice, Integer, Real
    from pymoo.optimize import minimize

    space, function, _ = FUNCTIONS[name]
    values = []
    is_mixed = any(p["type"] != "float" for p in space)

    def evaluate(params):
        if len(values) < budget:
            values.append(function(params))
            return values[-1]
        return math.inf

    class Continuous(ElementwiseProblem):
        def __init__(self):
            low = numpy.array([p["low"] for p in space])
            high = numpy.array([p["high"] for p in space])
            super().__init__(n_var=len(space), n_obj=1, xl=low, xu=high)

        def _evaluate(self, x, out):
            out["F"] = evaluate({p["name"]: float(v) for p, v in zip(space, x)})

    class Mixed(ElementwiseProblem):
        def __init__(self):
            variables = {}
            for p in space:
                if p["type"] == "categorical":
                    variables[p["name"]] = Choice(options=p["choices"])
                elif p["type"] == "int":
                    variables[p["name"]] = Integer(bounds=(p["low"], p["high"]))
                elif p["log"]:
                    variables[p["name"]] = Real(bounds=(math.log(p["low"]), math.log(p["high"])))
                else:
                    variables[p["name"]] = Real(bounds=(p["low"], p["high"]))
            super().__init__(vars=variables, n_obj=1)

        def _evaluate(self, x, out):
            logs = {p["name"] for p in space if p["type"] == "float" and p["log"]}
            out["F"] = evaluate({k: math.exp(v) if k in logs else v for k, v in x.items()})

    # A population of its default size, 100, would not have evolved within these budgets.
    algorithm = MixedVariableGA(pop_size=20) if is_mixed else GA(pop_size=20, eliminate_duplicates=True)
    start = time.perf_counter()
    minimize(Mixed() if is_mixed else Continuous(), algorithm, ("n_eval", budget), seed=seed, verbose=False)
    seconds = (time.perf_counter() - start) / budget
    return [(value, seconds) for value in values]


def run(task):
    method, name, seed, budget, tbot = task
    if method in OURS:
        rows = run_tbot(tbot, method, name, seed, budget)
    elif method == "pymoo GA":
        rows = run_pymoo(name, seed, budget)
    else:
        rows = run_optuna(method, name, seed, budget)
    return method, name, seed, rows


def read(path, budget=max(BUDGETS)):
    """Complete runs of a file of results: (method, function, seed) to [(value, seconds)]."""
    runs = {}
    if path and os.path.exists(path):
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                key = (row["method"], row["function"], int(row["seed"]))
                runs.setdefault(key, []).append((float(row["value"]), float(row["seconds"])))
    return {key: rows for key, rows in runs.items() if len(rows) >= budget}


def write(path, results):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["method", "function", "seed", "trial", "value", "seconds"])
        for (method, name, seed), rows in sorted(results.items()):
            for trial, (value, seconds) in enumerate(rows):
                writer.writerow([method, name, seed, trial, repr(float(value)), f"{seconds:.6f}"])


def quartiles(values):
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return low, middle, high


def regrets(results, method, name, budget, seeds):
    minimum = FUNCTIONS[name][2]
    runs = [results[key] for seed in seeds if (key := (method, name, seed)) in results]
    return [max(min(v for v, _ in rows[:budget]) - minimum, 0.0) for rows in runs if len(rows) >= budget]


def suggestion_seconds(results, method, trial):
    """Median time of the suggestions around a trial, over all functions and seeds."""
    times = [s for (m, _, _), rows in results.items() if m == method for _, s in rows[trial - 5 : trial + 5]]
    return statistics.median(times) if times else math.nan


def report(results, methods, functions, seeds):
    print(f"{'function':<12} {'budget':>6}  {'method':<18} {'median':>10} {'quartiles':>23}  runs")
    medians = {}
    for name in functions:
        for budget in BUDGETS:
            for method in methods:
                values = regrets(results, method, name, budget, seeds)
                if values:
                    low, middle, high = quartiles(values)
                    medians[method, name, budget] = middle
                    print(
                        f"{name:<12} {budget:>6}  {method:<18} {middle:>10.3g} {low:>11.3g} {high:>11.3g}"
                        f"  {len(values)}"
                    )
    print("\nseconds per suggestion (median)")
    print(f"{'method':<18} {'trial 30':>10} {'trial 60':>10} {'trial 115':>10}")
    for method in methods:
        times = [suggestion_seconds(results, method, trial) for trial in (30, 60, 115)]
        print(f"{method:<18} " + " ".join(f"{seconds:>10.4f}" for seconds in times))

    print("\ntargets")
    passed = True

    def verdict(met, text):
        nonlocal passed
        passed &= met
        print(f"{'pass' if met else 'FAIL'}  {text}")

    def compare(ours, reference, name, budget):
        a, b = medians.get((ours, name, budget)), medians.get((reference, name, budget))
        return None if a is None or b is None else (a <= b, a, b)

    for name in functions:
        for budget in BUDGETS:
            if (found := compare("bayesian", "optuna GPSampler", name, budget)) is not None:
                met, a, b = found
                verdict(met, f"bayesian not worse than GPSampler, {name} at {budget}: {a:.3g} against {b:.3g}")
    for budget in BUDGETS:
        found = [compare("bayesian", "optuna TPESampler", name, budget) for name in functions]
        known = [f[0] for f in found if f is not None]
        if known:
            verdict(sum(known) >= len(known) - 1, f"bayesian better than TPE on {sum(known)} of {len(known)} at {budget}")
    for name in functions:
        if (found := compare("genetic", "pymoo GA", name, 120)) is not None:
            met, a, b = found
            verdict(met, f"genetic not worse than pymoo's GA, {name} at 120: {a:.3g} against {b:.3g}")
    seconds = suggestion_seconds(results, "bayesian", 60)
    if not math.isnan(seconds):
        verdict(seconds < 0.020, f"bayesian suggestion at 60 trials below 20 ms: {seconds * 1000:.1f} ms")
    return passed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tbot", default="target/release/tbot", help="program to measure")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--budget", type=int, choices=BUDGETS, default=max(BUDGETS), help="trials of a run")
    parser.add_argument("--functions", nargs="*", choices=list(FUNCTIONS), default=USUAL)
    parser.add_argument("--methods", nargs="*", choices=[*OURS, *REFERENCES], default=[*OURS, *REFERENCES])
    parser.add_argument("--csv", default="regret.csv", help="where every trial is written")
    parser.add_argument("--reuse", help="take runs that this file already holds from it instead of running them")
    options = parser.parse_args()

    budget = options.budget
    known = read(options.reuse, budget)
    seeds = range(options.seeds)
    keys = [(m, f, s) for s in seeds for f in options.functions for m in options.methods]
    results = {key: known[key] for key in keys if key in known}
    tasks = [(*key, budget, options.tbot) for key in keys if key not in results]
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        futures = [pool.submit(run, task) for task in tasks]
        for done, future in enumerate(concurrent.futures.as_completed(futures), 1):
            method, name, seed, rows = future.result()
            results[method, name, seed] = rows
            print(f"\r{done}/{len(tasks)}", end="", file=sys.stderr, flush=True)
            if done % 20 == 0 or done == len(tasks):
                write(options.csv, results)
    print(file=sys.stderr)
    write(options.csv, results)
    sys.exit(0 if report(results, options.methods, options.functions, seeds) else 1)


if __name__ == "__main__":
    main()
