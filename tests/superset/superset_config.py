"""Superset for a test: on this machine alone, and of no use after it."""

import os

SECRET_KEY = "known to everyone"
SQLALCHEMY_DATABASE_URI = f"sqlite:///{os.environ['SUPERSET_HOME']}/superset.db"
TALISMAN_ENABLED = False
