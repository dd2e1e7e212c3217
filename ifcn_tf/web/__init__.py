"""The page that people click on: drop a photograph, point at its objects, take their masks home (`ifcn-tf web`).

What a visitor chooses (`choice.py`), the photographs of visitors (`visits.py`), what is drawn (`drawing.py`) and what
is downloaded (`downloads.py`) know nothing of Gradio. `page.py` and `serving.py` use it; `stage.js` and `save.js` run
in the browser.
"""
