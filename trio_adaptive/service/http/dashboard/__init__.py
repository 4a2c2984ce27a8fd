"""The dashboard: one page, whose files are served as they are, and BokehJS out of the installed bokeh package.

There is no build step, and nothing comes from another place. `assets` serves the files of `page/`; each script there has one
idea, which its first line says.
"""
