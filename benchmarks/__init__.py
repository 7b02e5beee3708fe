"""Benchmarks against other libraries: ``python -m benchmarks [--quick] [names...]``.

Each job is a module (``ship``, ``preview``, ``sign``, ...) with a function ``run(scale)`` that returns a ``Report``.
"""

import os

# Older releases of authlib (before about 1.6.1) refuse to sign plain http, also on localhost, without this variable.
os.environ.setdefault("AUTHLIB_INSECURE_TRANSPORT", "1")
