"""SeriesResult: what a query gives for one series or group, and the forms it can be given in."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dsfactory.errors import DamagedBlockError, UnfitEnvironmentError
from dsfactory.series import drawing
from dsfactory.series.arrays import np
from dsfactory.series.samples import EMPTY, Times, Values


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SeriesResult:
    """Points of one series, or of a group of them, in the order of time.

    Iterating gives the result itself, so that ``for one in store.query(...)`` works for one and
    for many.
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of the series; of a group, those that it was made by."""
    unit: str = ""
    """Empty when there is none, or not one of all series in the group."""
    type: str = "unknown"
    agg: str = "raw"
    step: int | None = None
    """Milliseconds a bucket; None when the points are the samples themselves."""
    timestamps: Times = field(default_factory=lambda: EMPTY.times, repr=False)
    """int64, milliseconds since the epoch: the begin of each bucket, the empty ones too."""
    values: Values = field(default_factory=lambda: EMPTY.values, repr=False)
    """float64; NaN where a bucket holds no number (0 of count)."""
    tiers: tuple[str, ...] = ("raw",)
    """From where the points come, the coarsest first: ("1h", "5m", "raw")."""
    relative_error: float = 0.0
    """A quantile is off by at most this part of the values it lies between; 0: it is exact."""
    damaged: tuple[DamagedBlockError, ...] = field(default=(), repr=False)
    """Blocks that were left out, with damaged="skip"."""
    left_out: tuple[str, ...] = ()
    """What is not in the points although it was asked for, and why."""

    @property
    def tier(self) -> str:
        """The coarsest of *tiers*: "raw", or a width such as "5m"."""
        return self.tiers[0]

    def __len__(self) -> int:
        """How many points there are."""
        return len(self.timestamps)

    def __iter__(self) -> Iterator[SeriesResult]:
        yield self

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain Python values; NaN is None, infinities are floats."""
        values = self.values.astype(object)
        values[np.isnan(self.values)] = None
        return {
            "name": self.name,
            "labels": dict(self.labels),
            "unit": self.unit,
            "type": self.type,
            "agg": self.agg,
            "step": self.step,
            "tier": self.tier,
            "tiers": list(self.tiers),
            "relative_error": self.relative_error,
            "left_out": list(self.left_out),
            "timestamps": self.timestamps.tolist(),
            "values": values.tolist(),
        }

    def to_pandas(self) -> Any:
        """Return a pandas Series of the values over their times (UTC), named as the series.

        Raises UnfitEnvironmentError when pandas is not installed.
        """
        pandas = _library("pandas")
        index = pandas.DatetimeIndex(
            self.timestamps.astype("datetime64[ms]"), name="time"
        ).tz_localize("UTC")
        return pandas.Series(self.values, index, name=self.name)

    def to_polars(self) -> Any:
        """Return a polars DataFrame of the columns time (UTC, milliseconds) and value.

        Raises UnfitEnvironmentError when polars is not installed.
        """
        polars = _library("polars")
        times = polars.Series("time", self.timestamps).cast(polars.Datetime("ms", "UTC"))
        return polars.DataFrame([times, polars.Series("value", self.values)])

    def sparkline(self, width: int = 60) -> str:
        """Return the points as one line of text, at most *width* characters; a gap is a space."""
        return drawing.sparkline(self.values, width)

    def plot(self, width: int = 60) -> str:
        """Return the sparkline between the smallest and the largest value."""
        return drawing.plot(self.values, width, self.unit)

    def to_svg(self, width: int = 640, height: int = 160) -> str:
        """Return the points as an SVG picture of this size in pixels, complete in itself."""
        labels = ", ".join(f"{name}={value}" for name, value in self.labels.items())
        title = f"{self.name}{{{labels}}}" if labels else self.name
        title += f" ({self.agg}{', ' + self.unit if self.unit else ''})"
        return drawing.svg(self.timestamps, self.values, (width, height), title)


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UnfitEnvironmentError(
            f"to_{name}() needs {name}. Install it: pip install 'dsfactory[frames]'.", missing=name
        ) from error
