"""What the wire protocols promise, tried in process; real clients are in tests/wire/clients."""
