"""The demo: a day's work on data that every machine has, with a file for each store.

| store | kind | what it holds | file |
|---|---|---|---|
| demo-settings | config | how the demo goes about its work | settings.py |
| demo-telemetry | metrics | readings of this host, timings of the run | telemetry.py |
| demo-syntax | cache | summaries of the standard library's source files | syntax_cache.py |
| demo-sessions | state | what readers have read, written by several threads | sessions.py |
| demo-findings | custom | what is remarkable about the standard library | findings.py |

host.py, sources.py and syntax.py get the data; run.py does the work in turn and returns a report;
page.py shows it.
"""
