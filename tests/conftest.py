from hypothesis import settings

pytest_plugins = ["sevendigital_async.sandbox.pytest_plugin"]

# Machines differ: what matters is what is found, not how long it took.
settings.register_profile("default", deadline=None)
settings.load_profile("default")
