"""How one call travels. Everything but the transport is a pure function or a value."""
