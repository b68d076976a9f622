"""`label_image serve`: one model behind HTTP, for a page, for programs and for other servers' clients.

Needs the packages of the extra `serve`; importing this package needs none of them.
"""
