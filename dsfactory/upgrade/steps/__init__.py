"""The steps that several kinds share, each frozen once it was released."""
