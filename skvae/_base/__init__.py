"""The ground floor: seeds, forks and where a warning points; nothing of texts, networks or estimators enters."""
