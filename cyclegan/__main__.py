"""`python -m cyclegan` is the same program as `cyclegan`."""

from cyclegan.cli import main

if __name__ == "__main__":
    main()
