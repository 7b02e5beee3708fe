"""The package measured beside what people would use instead: ``python -m benchmarks [--quick] [names...]``.

A file per job (``ship``, ``preview``, ``sign``), each with a ``run(scale)`` that returns a ``Report``.
"""
