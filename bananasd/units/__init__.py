"""What systemd is told of a daemon, and where that contradicts its configuration. Pure, but for which files are there, and where links lead."""
