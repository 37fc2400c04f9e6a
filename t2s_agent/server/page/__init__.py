"""Shows a user's results on the picture, with corrections by clicks: a page in the browser, and an MCP App.

`routes.page_routes` is the page; `app` is the MCP App; `result_view` is what both show. Nothing is imported here: the app has to be
announced when a server starts, and the pipeline would make that slow.
"""
