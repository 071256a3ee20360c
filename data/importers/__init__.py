"""Importers: a city's own files into a city folder."""
