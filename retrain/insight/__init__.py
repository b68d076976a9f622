"""What a person sees of a run: tables, terminal, pages."""
