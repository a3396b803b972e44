"""Every setting, read once at the door: below it there are plain frozen arguments.

`tree` says which settings there are, `load` reads them from their four places, `catalogue` describes them for the docs.
May import options, errors and what an engine is; nothing that listens or decodes.
"""

from stenod.settings.catalogue import catalogue, markdown
from stenod.settings.load import Loaded, load, load_settings
from stenod.settings.tree import Settings

__all__ = ["Loaded", "Settings", "catalogue", "load", "load_settings", "markdown"]
