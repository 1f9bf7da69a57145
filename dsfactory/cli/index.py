"""Every command by name, with the line that ``dsfactory --help`` says of it.

The line stands here and not only in the command, so that help imports no command. A test keeps
it equal to the first sentence of the command's own help.
"""

from __future__ import annotations

from collections.abc import Mapping

COMMANDS: Mapping[str, str] = {
    "backup": "Take, list, verify, keep and remove backups.",
    "demo": "Do a day's work with all five kinds of store, on this machine's own data.",
    "downgrade": "Bring stores back to an earlier schema revision.",
    "health": "Ask every store, the registry and maintenance how they are.",
    "metrics": "Look into the numeric series of a metrics store.",
    "restore": "Bring a store back to a backup, or to a moment.",
    "revisions": "List the schema revisions of a kind, or where a store stands among them.",
    "show": "Show one store: its record, its options and its size.",
    "stats": "Count what each store holds.",
    "stores": "List the registered stores.",
    "upgrade": "Bring the files of stores to the newest schema.",
}

GROUPS: Mapping[str, Mapping[str, str]] = {
    "backup": {
        "create": "Copy stores while everybody goes on writing.",
        "list": "List backups, and why each was taken.",
        "pin": "Keep a backup whatever the rules say.",
        "prune": "Remove the backups that no rule keeps.",
        "rescan": "Make the catalog anew from the manifests that are kept.",
        "run": "Take the backups that are due.",
        "verify": "Read backups back and compare them with what was written.",
    },
    "metrics": {
        "export": "Write samples to a file or to standard output.",
        "import": "Record the samples of a file or of standard input.",
        "ls": "List the series of a store.",
        "query": "Show what a metric came to, as a table and as a line.",
    },
}
"""The commands under a command."""
