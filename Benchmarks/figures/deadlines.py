"""The overshoot of a time limit: the time to the response minus the limit."""

from .bench import nearest_rank
from .table import Row

LIMIT = 0.5
SLEEPER = {"command": ["sleep", "10"], "timeoutSeconds": LIMIT}
BUSY_LOOPS, CONCURRENCY = 8, 4


def idle(bench):
    """overshoot of a 0.5 s limit on an idle machine, one run at a time"""
    count = bench.choose(200, 40)
    with bench.service(CONCURRENCY) as service:
        service.run(SLEEPER)
        times = bench.load(service, [SLEEPER], count, 1, "timed_out", LIMIT)
    return [Row(f"P7 p{percent}", times[f"p{percent}_us"] / 1e3, f"{times[f'p{percent}_us'] / 1e3:.2f} ms")
            for percent in (50, 99)]


def loaded(bench):
    """overshoot under eight busy loops, compared with coreutils' timeout"""
    rounds, count = bench.choose(5, 2), bench.choose(40, 24)
    peer = ["timeout", "-s", "KILL", str(LIMIT), "sleep", "10"]
    ours, theirs = [], []
    with bench.service(CONCURRENCY) as service:
        service.run(SLEEPER)
        with bench.busy(BUSY_LOOPS, seconds=400):
            for _ in range(rounds):
                responses = bench.responses(service, [SLEEPER] * count, CONCURRENCY, "timed_out")
                ours += [response.seconds - LIMIT for response in responses]
                theirs += bench.spawn(peer, count, CONCURRENCY, status=137, subtract=LIMIT)
    # A tail needs many samples, so the samples of all alternating rounds are combined.
    ours, theirs = nearest_rank(ours, 99), nearest_rank(theirs, 99)
    return [Row("P8", ours / theirs, f"{ours * 1e3:.2f} ms", f"{theirs * 1e3:.2f} ms")]
