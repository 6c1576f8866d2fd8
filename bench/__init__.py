"""Side-by-side speed runs of Parecer and its peers; see README.md."""
