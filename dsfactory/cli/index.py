"""Every command by name, with the line that ``dsfactory --help`` says of it.

The line stands here and not only in the command, so that help imports no command. A test keeps
it equal to the first sentence of the command's own help.
"""

from __future__ import annotations

from collections.abc import Mapping

COMMANDS: Mapping[str, str] = {
    "backup": "Take, list, verify, keep and remove backups.",
    "config": "Show, change and audit configurations, secrets masked.",
    "completion": "Print what makes a shell complete commands, options and store names.",
    "del": "Delete entries, all in one transaction.",
    "demo": "Do a day's work with all five kinds of store, on this machine's own data.",
    "diff": "Show where two versions of a key differ.",
    "doctor": "Look for what goes wrong around stores, and say what to do.",
    "downgrade": "Bring stores back to an earlier schema revision.",
    "export": "Write the live entries of a store as lines of JSON.",
    "get": "Print the value of a key as JSON.",
    "health": "Ask every store, the registry and maintenance how they are.",
    "metrics": "Look into the numeric series of a metrics store.",
    "history": "List the versions of a key, the newest first.",
    "import": "Write the entries of a file of JSON lines into a store.",
    "init": "Make a directory for stores, and stores in it.",
    "limits": "Show, change and reset rate limits.",
    "ls": "List the keys of a store, in their order.",
    "maintain": "Do one round of maintenance over all stores.",
    "restore": "Bring a store back to a backup, or to a moment.",
    "revisions": "List the schema revisions of a kind, or where a store stands among them.",
    "rollback": "Make an earlier version of a key the current one.",
    "scan": "Print keys and values, in the order of the keys.",
    "set": "Write a value, given as JSON.",
    "shell": "Open apsw's SQLite shell on the file of a store.",
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
    "config": {
        "audit": "List what was changed, by whom and why, the newest first.",
        "diff": "Show where two versions differ.",
        "export": "Print or write a configuration as JSON, TOML or YAML.",
        "get": "Print one setting as JSON.",
        "history": "List the kept versions, the newest first.",
        "import": "Save what a TOML, JSON or YAML file says.",
        "rollback": "Make an earlier version the current one.",
        "set": "Change one setting.",
        "show": "Show a configuration.",
    },
    "limits": {
        "reset": "Forget what keys have taken, so that they have all of it again.",
        "set": "Change limits, for all processes and for good.",
        "show": "Show the limits, and where keys stand.",
    },
}
"""The commands under a command."""
