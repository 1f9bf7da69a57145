"""Four ways to keep a limit. Each is exact, in integers; what it remembers is a short list.

fixed: a count until the end of a calendar window. At most ``limit`` in each window, so up to twice
    that around a boundary.
sliding: the sliding window counter of Cloudflare ("How we built rate limiting capable of scaling to
    millions of domains", 2017): this window's count and the part of the last one's that reaches
    into the window ending now, as if it had come evenly. At most ``limit`` in each aligned window.
token-bucket: Turner, "New directions in communications", IEEE Communications Magazine 24(10), 1986;
    RFC 2697 has today's form. Holds ``capacity`` and fills at ``limit`` a period. At most
    ``capacity + limit * time / period`` in any stretch of time.
gcra: the generic cell rate algorithm, virtual scheduling (ITU-T I.371, ATM Forum TM 4.0): a
    theoretical arrival time, at most the burst's length ahead. Decides as the token bucket does
    (tests compare them); remembers one moment instead of a level.

Permits of buckets are counted in units of 1/period_ms, so that one millisecond brings ``limit`` of
them. Times never go back: deciding.py sees to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from dsfactory.services.limits.boundaries import window_end
from dsfactory.services.limits.rules import Rule

Memory = list[int]
"""What an algorithm remembers of one key and rule."""


class Algorithm(NamedTuple):
    """One way to keep a limit: functions of the rule, the memory and the time."""

    begin: Callable[[Rule, int, int], Memory]
    """The memory at a moment with so many permits taken already."""
    settle: Callable[[Rule, Memory, int], Memory]
    """The memory brought forward to a moment; the others expect that."""
    free: Callable[[Rule, Memory, int], int]
    """How many permits there are; negative after a limit was lowered."""
    take: Callable[[Rule, Memory, int], Memory]
    """The memory once so many permits were taken."""
    wait_ms: Callable[[Rule, Memory, int, int], int]
    """After how long so many (at most the capacity) are there."""


def _divided_up(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)


# -- fixed window: [end, count]


def _fixed_begin(rule: Rule, now: int, used: int) -> Memory:
    return [window_end(now, rule.period_ms, rule.zone), used]


def _fixed_settle(rule: Rule, memory: Memory, now: int) -> Memory:
    # A window that was begun ends when it was said to, whatever became of the time zone.
    return memory if now < memory[0] else _fixed_begin(rule, now, 0)


def _fixed_free(rule: Rule, memory: Memory, _now: int) -> int:
    return rule.limit - memory[1]


def _fixed_take(_rule: Rule, memory: Memory, cost: int) -> Memory:
    return [memory[0], memory[1] + cost]


def _fixed_wait(_rule: Rule, memory: Memory, now: int, _cost: int) -> int:
    return memory[0] - now


# -- sliding window counter: [start, count before, count]


def _sliding_begin(rule: Rule, now: int, used: int) -> Memory:
    return [now - now % rule.period_ms, 0, used]


def _sliding_settle(rule: Rule, memory: Memory, now: int) -> Memory:
    start, _, count = memory
    age = now - start
    if age < rule.period_ms:
        return memory
    before = count if age < 2 * rule.period_ms else 0
    return [now - now % rule.period_ms, before, 0]


def _sliding_free(rule: Rule, memory: Memory, now: int) -> int:
    start, before, count = memory
    reaching = before * (rule.period_ms - (now - start))
    return ((rule.limit - count) * rule.period_ms - reaching) // rule.period_ms


def _sliding_take(_rule: Rule, memory: Memory, cost: int) -> Memory:
    return [memory[0], memory[1], memory[2] + cost]


def _sliding_wait(rule: Rule, memory: Memory, now: int, cost: int) -> int:
    start, before, count = memory
    room = rule.limit - count - cost
    if room < 0:  # not before this window is the last one
        start, before, room = start + rule.period_ms, count, rule.limit - cost
    # before * (period - age) <= room * period
    age = max(0, rule.period_ms - room * rule.period_ms // before)
    return start + age - now


# -- token bucket: [moment, units that are missing]


def _bucket_begin(rule: Rule, now: int, used: int) -> Memory:
    return [now, used * rule.period_ms]


def _bucket_settle(rule: Rule, memory: Memory, now: int) -> Memory:
    moment, missing = memory
    return [now, max(0, missing - (now - moment) * rule.limit)]


def _bucket_free(rule: Rule, memory: Memory, _now: int) -> int:
    return (rule.capacity * rule.period_ms - memory[1]) // rule.period_ms


def _bucket_take(rule: Rule, memory: Memory, cost: int) -> Memory:
    return [memory[0], memory[1] + cost * rule.period_ms]


def _bucket_wait(rule: Rule, memory: Memory, _now: int, cost: int) -> int:
    lacking = memory[1] - (rule.capacity - cost) * rule.period_ms
    return _divided_up(lacking, rule.limit)


# -- GCRA: [millisecond of the theoretical arrival time, its part in 1/limit, that limit]


def _gcra_begin(rule: Rule, now: int, used: int) -> Memory:
    return _gcra_memory(now * rule.limit + used * rule.period_ms, rule.limit)


def _gcra_memory(arrival: int, limit: int) -> Memory:
    return [*divmod(arrival, limit), limit]


def _gcra_arrival(memory: Memory) -> int:
    return memory[0] * memory[2] + memory[1]


def _gcra_settle(rule: Rule, memory: Memory, now: int) -> Memory:
    # What was taken stays taken when the limit changes: it is the same number of permits.
    ahead = max(0, _gcra_arrival(memory) - now * memory[2])
    return _gcra_memory(now * rule.limit + ahead, rule.limit)


def _gcra_free(rule: Rule, memory: Memory, now: int) -> int:
    latest = now * rule.limit + rule.capacity * rule.period_ms
    return (latest - _gcra_arrival(memory)) // rule.period_ms


def _gcra_take(rule: Rule, memory: Memory, cost: int) -> Memory:
    return _gcra_memory(_gcra_arrival(memory) + cost * rule.period_ms, rule.limit)


def _gcra_wait(rule: Rule, memory: Memory, now: int, cost: int) -> int:
    allowed_at = _gcra_arrival(memory) - (rule.capacity - cost) * rule.period_ms
    return _divided_up(allowed_at - now * rule.limit, rule.limit)


BY_NAME: Mapping[str, Algorithm] = {
    "fixed": Algorithm(_fixed_begin, _fixed_settle, _fixed_free, _fixed_take, _fixed_wait),
    "sliding": Algorithm(
        _sliding_begin, _sliding_settle, _sliding_free, _sliding_take, _sliding_wait
    ),
    "token-bucket": Algorithm(
        _bucket_begin, _bucket_settle, _bucket_free, _bucket_take, _bucket_wait
    ),
    "gcra": Algorithm(_gcra_begin, _gcra_settle, _gcra_free, _gcra_take, _gcra_wait),
}
