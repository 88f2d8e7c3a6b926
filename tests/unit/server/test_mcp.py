"""The tools as an assistant calls them, by the protocol's own client."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from PIL import Image

from babelens.server import Settings

mcp = pytest.importorskip("mcp", reason="needs pip install 'babelens[mcp]'")
T = TypeVar("T")


def with_client(path: Path, use: Callable[[Any], Awaitable[T]]) -> T:
    from babelens.server.mcp import create_mcp

    async def main() -> T:
        from mcp.client import Client

        server = create_mcp(Settings({"gallery": path}, thumbnails=path.parent / "small"))
        async with Client(server) as client:
            return await use(client)

    return asyncio.run(main())


def test_tools_read_only(gallery: Path) -> None:
    async def use(client: Any) -> None:
        tools = (await client.list_tools()).tools
        assert {tool.name for tool in tools} == {"search", "similar", "captions", "ask", "get_item"}
        assert all(tool.annotations.read_only_hint and tool.description for tool in tools)

    with_client(gallery, use)


def test_search_then_look(gallery: Path) -> None:
    async def use(client: Any) -> None:
        found = (
            await client.call_tool("search", {"query": "ein roter Apfel", "k": 2, "kinds": ["image"]})
        ).structured_content
        item = found["hits"][0]["item"]["id"]
        assert found["hits"][0]["item"]["path"] is None
        text, picture = (await client.call_tool("get_item", {"item_id": item})).content
        assert json.loads(text.text)["id"] == item
        assert picture.mime_type == "image/webp"
        assert Image.open(io.BytesIO(base64.b64decode(picture.data))).format == "WEBP"
        near = (await client.call_tool("similar", {"item_id": item, "k": 3})).structured_content
        assert item not in [hit["item"]["id"] for hit in near["hits"]]
        captions = await client.call_tool("captions", {"item_id": item, "language": "hi"})
        assert {one["text"]["language"] for one in captions.structured_content["captions"]} == {"hi"}

    with_client(gallery, use)


def test_ask_cites(gallery: Path) -> None:
    async def use(client: Any) -> None:
        answer = (
            await client.call_tool("ask", {"question": "Which fuse feeds the pump?"})
        ).structured_content
        assert answer["grounded"]
        assert answer["citations"][0]["page"] == 1

    with_client(gallery, use)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("search", {}),
        ("search", {"query": "x", "language": "tlh"}),
        ("search", {"query": "x", "collection": "../other"}),
        ("search", {"query": "x", "k": 1000}),
        ("search", {"image_id": "/etc/passwd"}),
        ("get_item", {"item_id": "/etc/passwd"}),
        ("similar", {"item_id": "../../etc/passwd"}),
        ("captions", {"item_id": "/etc/passwd", "language": "en"}),
    ],
)
def test_errors_are_told(gallery: Path, tool: str, arguments: dict[str, Any]) -> None:
    async def use(client: Any) -> None:
        result = await client.call_tool(tool, arguments)
        assert result.is_error
        assert str(gallery.parent) not in str(result.content)
        assert "Traceback" not in str(result.content)

    with_client(gallery, use)


def test_speaks_on_stdin_and_stdout(gallery: Path) -> None:
    async def main() -> None:
        from mcp.client import Client
        from mcp.client.stdio import StdioServerParameters, stdio_client

        environment = {**os.environ, "BABELENS_MODEL": "mini"}
        command = ["-m", "babelens", "mcp", "-c", str(gallery)]
        server = StdioServerParameters(command=sys.executable, args=command, env=environment)
        async with Client(stdio_client(server)) as client:
            found = await client.call_tool("search", {"query": "dog", "k": 1})
            assert len(found.structured_content["hits"]) == 1

    asyncio.run(main())


def test_speaks_over_http(gallery: Path) -> None:
    async def main(address: str) -> None:
        from mcp.client import Client

        async with Client(address) as client:
            found = await client.call_tool("search", {"query": "dog", "k": 2})
            assert len(found.structured_content["hits"]) == 2
            item = found.structured_content["hits"][0]["item"]["id"]
            _, picture = (await client.call_tool("get_item", {"item_id": item})).content
            assert picture.mime_type == "image/webp"

    command = [sys.executable, "-m", "babelens", "mcp", "-c", str(gallery), "--http", "--port", "0"]
    environment = {**os.environ, "BABELENS_MODEL": "mini"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stderr is not None
            said = next(line for line in process.stderr if "http://127.0.0.1:" in line)
            asyncio.run(main("http://" + said.split("http://")[1].split()[0] + "/mcp"))
        finally:
            process.terminate()
