"""SQLAlchemy's dialect compliance suite, as it comes installed."""

from sqlalchemy.testing.suite import *  # noqa: F403 - the suite's documented way in
