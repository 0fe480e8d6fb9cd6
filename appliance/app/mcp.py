"""A tool of an MCP server (Model Context Protocol, streamable HTTP)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from appliance.terms.config import ToolConfig
from appliance.terms.errors import BadInput

log = logging.getLogger(__name__)

NUMBERS = ("integer", "number")


async def ask(tool: ToolConfig, arguments: Mapping[str, str], about: Mapping[str, str]) -> str:
    """What its result says, as text. Redirections are followed on the same host alone. Raises BadInput, and whatever
    the protocol's library does: what servers say of errors stays in the log, for it may repeat what a caller said."""
    import httpx2  # these take 30 MB and half a second, which only those need who have such a tool
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client
    from mcp.types import TextContent

    headers = {"Authorization": f"Bearer {tool.token}"} if tool.token else {}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=tool.timeout_s) as http,
        Client(streamable_http_client(tool.url, http_client=http)) as client,
    ):
        listed = {one.name: one for one in (await client.list_tools()).tools}
        if tool.name not in listed:
            raise BadInput("the server has no tool of that name")
        result = await client.call_tool(tool.name, typed(arguments, listed[tool.name].input_schema))
    text = " ".join(part.text for part in result.content if isinstance(part, TextContent))
    if result.is_error:
        log.warning("tool %s: %s", tool.name, text)
        raise BadInput("it says that it failed")
    return text


def typed(arguments: Mapping[str, str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers as numbers, where the tool wants that."""
    wanted = schema.get("properties", {})
    return {
        name: int(value) if value.isdecimal() and wanted.get(name, {}).get("type") in NUMBERS else value
        for name, value in arguments.items()
    }
