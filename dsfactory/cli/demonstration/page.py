"""The report of a run as a page that a person reads."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.text import Text

from dsfactory.cli import pages
from dsfactory.cli.demonstration.findings import FindingsReport
from dsfactory.cli.demonstration.run import Report, StoreSummary, Work
from dsfactory.cli.demonstration.sessions import SessionsReport
from dsfactory.cli.demonstration.settings import SettingsReport
from dsfactory.cli.demonstration.sparkline import sparkline
from dsfactory.cli.demonstration.syntax_cache import Pass
from dsfactory.cli.demonstration.telemetry import Series, TelemetryReport
from dsfactory.cli.units import (
    counted,
    shown_bytes,
    shown_count,
    shown_duration,
    shown_moment,
    shown_percent,
    shown_ratio,
)


def print_report(console: Console, report: Report) -> None:
    """Print everything but health, which has a page of its own."""
    work = report.work
    sections: tuple[tuple[str, Iterator[RenderableType]], ...] = (
        ("config   demo-settings", _settings(work.settings)),
        ("metrics  demo-telemetry", _telemetry(console, work.telemetry)),
        ("cache    demo-syntax", _syntax(work)),
        ("state    demo-sessions", _sessions(work.sessions)),
        ("custom   demo-findings", _findings(work.findings)),
        ("all five", _stores(report)),
    )
    for title, lines in sections:
        console.rule(Text(title, style="bold"), align="left", style="dim")
        console.print(Group(*lines), "")


def _settings(report: SettingsReport) -> Iterator[RenderableType]:
    yield "The demo's own settings. Validated; every save is a version, signed and hashed."
    history = pages.table("Ver.", "Change", "When", "Who", "Why", "SHA-256", numbers=["Ver."])
    for saved in report.history:
        when, sha256 = shown_moment(saved.changed_at), (saved.sha256 or "")[:8]
        who, why = saved.who or "", saved.why or ""
        history.add_row(str(saved.version), saved.change, when, who, why, sha256)
    yield history
    if report.versions > len(report.history):
        older = report.versions - len(report.history)
        yield f"... and {counted(older, 'older version', 'older versions')}"
    for difference in report.differences:
        yield f"The trial: {difference.path} from {difference.old} to {difference.new}."
    for refused in report.refused:
        yield f"Refused: {refused}"


def _telemetry(console: Console, report: TelemetryReport) -> Iterator[RenderableType]:
    yield (
        f"{report.samples} samples of this host while the demo worked: "
        f"{shown_count(report.events)} typed events, read back:"
    )
    curves = not console.options.ascii_only
    columns = ("Lowest", "Highest", "Last")
    readings = pages.table("Reading", *columns, "Over the run" if curves else "", numbers=columns)
    for series in report.series:
        readings.add_row(*_series(series), sparkline(series.values) if curves else "")
    yield readings


def _series(series: Series) -> tuple[str, ...]:
    values = series.values
    if series.counter:
        return series.label, "", "", f"+{_number(sum(values), series.unit)}"
    chosen = (min(values), max(values), values[-1])
    return series.label, *(_number(value, series.unit) for value in chosen)


def _number(value: float, unit: str) -> str:
    if unit == "B":
        return shown_bytes(value)
    shown = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"
    return f"{shown} {unit}".rstrip()


def _syntax(work: Work) -> Iterator[RenderableType]:
    report = work.syntax
    yield (
        f"Python's standard library: {shown_count(report.files)} files, "
        f"{shown_count(report.lines)} lines, {shown_count(report.definitions)} definitions."
    )
    passes = pages.table("Pass", *_PASS, numbers=_PASS)
    passes.add_row("first", *_pass(report.first))
    passes.add_row("second", *_pass(report.second))
    yield passes
    if work.parsing_ms is not None:
        faster = work.parsing_ms / report.second.elapsed_ms
        took = shown_duration(work.parsing_ms)
        yield f"Parsing them all took {took}: the cache serves them {faster:.0f} times as fast."
    if report.unreadable:
        yield f"{counted(report.unreadable, 'file is', 'files are')} no Python of this version."


_PASS = ("Lookups", "Parsed", "Hit ratio", "Time")


def _pass(one: Pass) -> tuple[str, ...]:
    return (
        shown_count(one.lookups),
        shown_count(one.missing),
        shown_percent(one.hit_ratio),
        shown_duration(one.elapsed_ms),
    )


def _sessions(report: SessionsReport) -> Iterator[RenderableType]:
    yield (
        f"{report.threads} threads on {report.readers} sessions: {shown_count(report.visits)} "
        f"transactions of two updates, {report.undone} rolled back."
    )
    sums = pages.table("Counted", "Asked for", "In the sessions", "Counter", numbers=_COUNTS)
    visits = report.visits - report.undone
    sums.add_row("files", shown_count(visits), shown_count(report.files_in_sessions), "")
    lines = (report.lines, report.lines_in_sessions, report.lines_in_counter)
    sums.add_row("lines", *map(shown_count, lines))
    yield sums
    if report.exact:
        yield Text("Nothing lost, nothing twice.", style="green")
    else:
        yield Text(f"NOT EXACT: {report.lost} visits are lost.", style="bold red")


_COUNTS = ("Asked for", "In the sessions", "Counter")


def _findings(report: FindingsReport) -> Iterator[RenderableType]:
    yield (
        f"Made with expiry, history and tags. {report.packages + len(report.kept)} findings, "
        f"{report.written} of them new or changed."
    )
    found = pages.table("Finding", "Where", "Figure", "Ver.", numbers=["Figure", "Ver."])
    for kept in report.kept:
        finding = kept.finding
        figure = f"{shown_count(finding.figure)} {finding.unit}"
        found.add_row(finding.what, finding.where, figure, str(kept.version))
    yield found
    yield (
        f"Refused {report.stale_refused} writes over a newer version; "
        f"threw {report.drafts_evicted} drafts away by their tag."
    )


_NUMBERS = ("Entries", "Calls", "Hits", "Before", "Stored", "Ratio", "Time")


def _stores(report: Report) -> Iterator[RenderableType]:
    listing = pages.table("Store", "Kind", *_NUMBERS, numbers=_NUMBERS)
    for summary in report.stores:
        listing.add_row(*_store(summary))
    yield listing
    done = report.maintenance
    if done.ran:
        yield (
            f"Maintenance: {shown_count(done.expired)} expired, "
            f"{counted(done.dictionaries, 'dictionary', 'dictionaries')} trained, "
            f"{counted(done.checkpointed, 'page', 'pages')} checkpointed."
        )


def _store(summary: StoreSummary) -> tuple[str, ...]:
    stats = summary.stats
    return (
        stats.name,
        stats.kind,
        shown_count(stats.entries),
        shown_count(summary.operations),
        shown_percent(stats.hit_ratio),
        shown_bytes(stats.unpacked_bytes),
        shown_bytes(stats.size_bytes),
        shown_ratio(stats.compression_ratio),
        shown_duration(summary.elapsed_ms),
    )
