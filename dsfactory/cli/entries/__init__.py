"""What the commands about entries share: keys and values as text, masks, lines of a file."""
