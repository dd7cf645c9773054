"""The durable engine."""

import os

# With DBOS__CLOUD=true in the environment DBOS takes another database than the configured one, and
# orders from outside. It looks when it is imported.
for _name in [name for name in os.environ if name.startswith("DBOS_")]:
    del os.environ[_name]
