"""The ground floor: seeds, forks and stack levels of warnings; nothing of texts, networks or estimators enters."""
