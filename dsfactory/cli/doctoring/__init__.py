"""What doctor asks: a row a question, in host.py of the machine, in files.py of every store."""
