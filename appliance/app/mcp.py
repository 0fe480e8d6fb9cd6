"""A tool of an MCP server (Model Context Protocol, streamable HTTP)."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from appliance.terms.config import ToolConfig
from appliance.terms.errors import BadInput

log = logging.getLogger(__name__)


async def ask(tool: ToolConfig, arguments: Mapping[str, str], about: Mapping[str, str]) -> str:
    """What its result says, as text. Redirections are followed on the same host alone. Raises BadInput."""
    import httpx2  # these take 30 MB and half a second, which only those need who have such a tool
    from mcp import Client, MCPError
    from mcp.client.streamable_http import streamable_http_client
    from mcp.types import TextContent

    headers = {"Authorization": f"Bearer {tool.token}"} if tool.token else {}
    try:
        async with (
            httpx2.AsyncClient(headers=headers, timeout=tool.timeout_s) as http,
            Client(streamable_http_client(tool.url, http_client=http)) as client,
        ):
            result = await client.call_tool(tool.name, dict(arguments))
    except MCPError as error:
        raise BadInput(str(error)) from error
    except httpx2.HTTPError as error:
        raise BadInput(str(error) or type(error).__name__) from error
    except ExceptionGroup as group:
        raise BadInput(_first(group)) from group
    text = " ".join(part.text for part in result.content if isinstance(part, TextContent))
    if result.is_error:
        log.warning("tool %s: %s", tool.name, text)  # which stays here: it may repeat what a caller said
        raise BadInput("it says that it failed")
    return text


def _first(group: ExceptionGroup[Exception]) -> str:
    """What went wrong, in the middle of all that."""
    error: Exception = group
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__
