"""Turns result files into reports: HTML pages and a Markdown summary. Reads files only, never live objects."""
