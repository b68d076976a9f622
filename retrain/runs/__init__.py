"""One module for each workflow: what is asked for in, a result out."""
