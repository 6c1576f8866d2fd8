"""Backups of a whole installation, and putting one back. `serving` is read by the web server before anything else."""
