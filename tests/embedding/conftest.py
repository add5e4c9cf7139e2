from __future__ import annotations

from hypothesis import settings

# A busy machine is slow, and that is no defect of the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
