"""The pages of the site, as MkDocs takes them: `make docs`."""
