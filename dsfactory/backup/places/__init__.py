"""Where backups are kept: directories, object stores."""
