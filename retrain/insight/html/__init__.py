"""Pages as HTML: the templates and the one style sheet of the report, the sweep and the doctor."""
