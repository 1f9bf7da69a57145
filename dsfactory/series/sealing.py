"""Putting samples into blocks: merged with what overlaps, cut to size.

Blocks of one series never overlap. A new block swallows the neighbours that are no larger than
itself, until it is full: so a series has at most a dozen blocks that are not, and a sample is
compressed anew at most a dozen times, whatever the portions in which it comes.
"""

from __future__ import annotations

from dsfactory.clock import END_OF_TIME
from dsfactory.engine import Transaction
from dsfactory.errors import DamagedBlockError
from dsfactory.series import pieces, sql
from dsfactory.series.blocks import MAX_SAMPLES, Block, encode
from dsfactory.series.reading import samples_of
from dsfactory.series.samples import EMPTY, Samples, concatenated, merged


class Sealer:
    """Seals within one transaction."""

    def __init__(self, tx: Transaction, *, rollups: bool) -> None:
        """With *rollups*, note what they have to be made anew for."""
        self._tx = tx
        self._rollups = rollups
        self._pieces = pieces.Writer(tx)

    def seal(self, series: int, fresh: Samples) -> Samples:
        """Put *fresh* samples (ascending) into blocks, where they win over what is there.

        Return those that could not be, because a damaged block holds their time.
        """
        if not len(fresh.times):
            return EMPTY
        try:
            self._seal(series, fresh)
        except DamagedBlockError as error:
            first, last = error.facts["first_at"], error.facts["last_at"]
            left = [
                self.seal(series, fresh.between(0, first)),
                fresh.between(first, last + 1),
                self.seal(series, fresh.between(last + 1, END_OF_TIME + 1)),
            ]
            return concatenated(left)
        if self._rollups:
            self._tx.run(sql.DUE, (series, int(fresh.times[0])))
        return EMPTY

    def _seal(self, series: int, fresh: Samples) -> None:
        first, last = int(fresh.times[0]), int(fresh.times[-1])
        around = [Block(*row) for row in self._tx.rows(sql.AROUND, (series, first, last))]
        inside = [block for block in around if block.last_at >= first and block.first_at <= last]
        older = concatenated([samples_of(self._tx, block) for block in inside])
        whole = merged(older, fresh)
        taken = list(inside)
        previous = next((block for block in around if block.last_at < first), None)
        following = next((block for block in around if block.first_at > last), None)
        whole, _ = self._swallow(previous, whole, taken, sql.BLOCK_BEFORE)
        whole, following = self._swallow(following, whole, taken, sql.BLOCK_BEHIND)
        self.drop(taken)
        self._write(series, whole, at_the_end=following is None)

    def _swallow(
        self, neighbour: Block | None, whole: Samples, taken: list[Block], further: str
    ) -> tuple[Samples, Block | None]:
        """Merge the neighbours on one side while they are small; return the first that is not."""
        while neighbour is not None and neighbour.samples < MAX_SAMPLES:
            if neighbour.samples > len(whole.times):
                break
            try:
                whole = merged(samples_of(self._tx, neighbour), whole)
            except DamagedBlockError:
                break  # it stays for whoever restores a backup
            taken.append(neighbour)
            rows = self._tx.rows(further, (neighbour.series, neighbour.first_at))
            neighbour = Block(*rows[0]) if rows else None
            if len(whole.times) >= MAX_SAMPLES:
                break  # one late sample must not rewrite a series of half-full blocks
        return whole, neighbour

    def drop(self, blocks: list[Block]) -> None:
        """Delete *blocks* with their payloads."""
        if blocks:
            self._tx.many(sql.DROP_BLOCK, [(b.series, b.first_at) for b in blocks])
            pieces.drop(self._tx, [(b.piece, b.pieces) for b in blocks])

    def _write(self, series: int, whole: Samples, *, at_the_end: bool) -> None:
        count = len(whole.times)
        size = MAX_SAMPLES
        if not at_the_end:  # nothing will fill up the last one: of one size, with room for more
            size = -(-count // -(-count // MAX_SAMPLES))
        rows = []
        for start in range(0, count, size):
            part = Samples(whole.times[start : start + size], whole.values[start : start + size])
            block, payload = encode(series, part)
            piece, number = self._pieces.write(payload, draft=block.samples < MAX_SAMPLES)
            rows.append(block._replace(piece=piece, pieces=number))
        self._tx.many(sql.ADD_BLOCK, rows)
