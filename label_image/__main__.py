"""`python -m label_image`."""

from label_image.cli import main

if __name__ == "__main__":
    main()
