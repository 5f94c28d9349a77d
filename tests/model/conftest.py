"""More examples for who has time: `pytest tests/model --hypothesis-profile=long`."""

import hypothesis

hypothesis.settings.register_profile("long", hypothesis.settings.get_profile("bina"))
