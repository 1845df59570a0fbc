"""finrec's frame: brand, navigation, and the data and model that every screen is about."""

from pages import frame, signing

frame.dress()
signing.gate()
page = frame.navigation()
with frame.told():
    frame.choose()
page.run()
