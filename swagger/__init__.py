"""The HTTP contract, as data; it is installed as `gm_analytics.swagger`."""
