"""finrec's frame: brand, navigation, and the data and model that every screen is about."""

import streamlit as st

from pages import frame

st.set_page_config(page_title="finrec", page_icon=":material/join_inner:", layout="wide")
st.logo(frame.LOGO, size="large", icon_image=frame.ICON)
page = frame.navigation()
with frame.told():
    frame.choose()
page.run()
