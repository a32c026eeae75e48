"""Run the command line as ``python -P -m apps``.

Without ``-P`` Python puts the working folder first on its path, and an ``apps`` folder there would
be taken for this one.
"""

import sys

from apps.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
