"""Serves the result view as an MCP App: one self-contained HTML file that a host shows next to a tool's answer.

It asks for nothing from any network: the host hands it the tool's result, and it reads the outlines and the picture as the
resource `VIEW_URI` (whose text `result_view.view_json` makes) and calls `refine_mask`, both through the host.

This module imports neither the pipeline nor anything else that would slow the start of a server.
"""

from mcp.server.apps import Apps, ResourceCsp

from t2s_agent.server.page.assets import static_text

APP_URI = "ui://t2s/result.html"
VIEW_URI = "t2s://results/{result_id}/view"
TOOL_META = {"ui": {"resourceUri": APP_URI}}  # the `meta` of a tool whose answer the app shows


def app_html() -> str:
    """Returns everything in one HTML file, because hosts show it in a frame that may load nothing."""
    html = static_text("app.html")
    for name in ("page.css", "ol.js", "viewer.js", "result.js", "app.js"):
        html = html.replace(f"/*{name}*/", static_text(name))
    return html


def app_extension() -> Apps:
    """Returns the extension for `MCPServer(extensions=[app_extension()])`: it advertises the app and serves the HTML."""
    apps = Apps()
    apps.add_html_resource(
        APP_URI,
        app_html(),
        name="result",
        title="Result on the picture",
        description="Outlines, measures and lineage of a result, and corrections by clicks.",
        csp=ResourceCsp(connect_domains=[], resource_domains=[]),
        prefers_border=False,
    )
    return apps
