"""finrec's frame: brand, navigation, and the data and model that every screen is about."""

from pages import frame

frame.dress()
page = frame.navigation()
with frame.told():
    frame.choose()
page.run()
