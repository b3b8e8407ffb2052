"""The report's sections, one module each; a module's ``SECTION`` is found by being here."""
