"""The camera page of an export: a folder of files that any web server serves as they are, and `page_files` makes it."""

from label_image.web.site import page_files

__all__ = ["page_files"]
