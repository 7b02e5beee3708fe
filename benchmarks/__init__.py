"""The package measured beside what people would use instead: ``python -m benchmarks [--quick] [names...]``.

A file per job (``ship``, ``preview``, ``sign``), each with a ``run(scale)`` that returns a ``Report``.
"""

import os

# Before 1.6.1 or so, authlib signed nothing for plain http, not even on this machine; its own way to allow it.
os.environ.setdefault("AUTHLIB_INSECURE_TRANSPORT", "1")
