#!/usr/bin/python3
"""Checks the rows of kept reports with SciPy's own bootstrap and tests. `apt install python3-scipy`, then

    ab-bench/runs/check.py ab-bench/runs/*/report.json

For every row with an interval: the geometric mean and the BCa interval of its pair ratios, the signed-rank test's p, and
what benchstat does with bench.txt, the Mann-Whitney test on the unpaired figures. The random numbers are others than the
harness's, so intervals agree to a share of their width; means and p agree to rounding.
"""

import json
import sys
import warnings

import numpy
from scipy import stats

# Two bootstraps of 10,000 resamples differ by this much of the interval's width, with room. Of few or tied pairs there are
# few different resamples, and what is done with ties decides (ours counts half of them, SciPy none): bounds are held
# against one another from so many different pairs on.
TOLERANCE = 0.25
PAIRS_MIN = 6


def check(path):
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    worst, means, signed, rank, rows = 0.0, 0.0, 0.0, 0, 0
    for row in report["rows"]:
        estimate, logs = row["ratio"], numpy.log(row["pair_ratios"])
        if not estimate or numpy.ptp(logs) == 0:
            continue
        rows += 1
        low, high = numpy.exp(
            stats.bootstrap((logs,), numpy.mean, n_resamples=10_000, method="BCa", random_state=rows).confidence_interval
        )
        width = estimate["high"] - estimate["low"]
        if len(set(logs)) == len(logs) >= PAIRS_MIN:
            worst = max(worst, abs(low - estimate["low"]) / width, abs(high - estimate["high"]) / width)
        means = max(means, abs(numpy.exp(logs.mean()) - estimate["value"]))
        # SciPy's exact form knows neither ties nor zeros; ours does, so only rows without them are held against it.
        if len(set(numpy.abs(logs))) == len(logs) and numpy.all(logs != 0):
            signed = max(signed, abs(stats.wilcoxon(logs, mode="exact").pvalue - row["wilcoxon_p"]))
        ours, baseline = numpy.transpose(row["pairs"])
        decided = row["verdict"] in ("better", "worse")
        p = stats.mannwhitneyu(ours, baseline).pvalue
        rank += decided and p >= 0.05
    print(
        f"{path}: {rows} rows; means differ by {means:.1e} at most, bounds by {worst:.1%} of the interval's width, "
        f"signed-rank p by {signed:.1e}; differences shown that Mann-Whitney doubts: {rank}"
    )
    return means < 1e-9 and worst < TOLERANCE and signed < 1e-9


warnings.simplefilter("ignore")
sys.exit(0 if all([check(path) for path in sys.argv[1:]]) else 1)
