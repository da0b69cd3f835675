"""How late a limit ends a run: the time of the answer, less the limit."""

from .bench import nearest_rank
from .table import Row

LIMIT = 0.5
SLEEPER = {"command": ["sleep", "10"], "timeoutSeconds": LIMIT}
BUSY_LOOPS, AT_ONCE = 8, 4


def idle(bench):
    """overshoot of a 0.5 s limit on an idle machine, one run at a time"""
    count = bench.choose(200, 40)
    with bench.service(AT_ONCE) as service:
        service.run(SLEEPER)
        times = bench.load(service, [SLEEPER], count, 1, "timed_out", LIMIT)
    return [Row(f"P7 p{percent}", times[f"p{percent}_us"] / 1e3, f"{times[f'p{percent}_us'] / 1e3:.2f} ms")
            for percent in (50, 99)]


def loaded(bench):
    """the same under eight busy loops, beside coreutils' timeout"""
    rounds, count = bench.choose(5, 2), bench.choose(40, 24)
    peer = ["timeout", "-s", "KILL", str(LIMIT), "sleep", "10"]
    ours, theirs = [], []
    with bench.service(AT_ONCE) as service:
        service.run(SLEEPER)
        with bench.busy(BUSY_LOOPS, seconds=400):
            for _ in range(rounds):
                answers = bench.answers(service, [SLEEPER] * count, AT_ONCE, "timed_out")
                ours += [answer.seconds - LIMIT for answer in answers]
                theirs += bench.spawn(peer, count, AT_ONCE, status=137, minus=LIMIT)
    # A tail needs many samples: the rounds alternate, their samples are put together.
    ours, theirs = nearest_rank(ours, 99), nearest_rank(theirs, 99)
    return [Row("P8", ours / theirs, f"{ours * 1e3:.2f} ms", f"{theirs * 1e3:.2f} ms")]
