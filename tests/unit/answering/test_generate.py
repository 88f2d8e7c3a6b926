from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from babelens.answering import Generator, OpenAIGenerator, configured_generator
from babelens.answering.generate import without_thoughts
from babelens.errors import GenerationError
from tests.chat import Exchange, chat_server, in_turn, says

pytest.importorskip("openai")

MESSAGES = [{"role": "user", "content": "Say something."}]


def generated(url: str, **options: object) -> str:
    settings: dict[str, object] = {"timeout": 2.0, "deadline": 20.0, **options}
    return "".join(OpenAIGenerator(url, "tiny", **settings).generate(MESSAGES))  # type: ignore[arg-type]


def test_pieces_come_as_they_are_written() -> None:
    first_was_read = threading.Event()

    def behave(exchange: Exchange) -> None:
        exchange.begin()
        exchange.piece("The fuse ")
        assert first_was_read.wait(10)  # else the client waits for the whole
        exchange.piece("is F3 [1].")
        exchange.end()

    with chat_server(behave) as server:
        generator = OpenAIGenerator(server.url, "tiny")
        assert isinstance(generator, Generator)
        pieces = generator.generate(MESSAGES)
        assert next(pieces) == "The fuse "
        first_was_read.set()
        assert list(pieces) == ["is F3 [1]."]
    request = server.requests[0]
    assert request.path == "/v1/chat/completions"
    assert request.body["model"] == "tiny"
    assert request.body["messages"] == MESSAGES
    assert request.body["stream"] is True
    assert request.body["temperature"] == 0


def test_a_server_error_is_tried_again() -> None:
    with chat_server(in_turn([lambda exchange: exchange.status(500), says("Well.")])) as server:
        assert generated(server.url) == "Well."
    assert len(server.requests) == 2


def test_retry_after_is_kept() -> None:
    came: list[float] = []

    def busy(exchange: Exchange) -> None:
        came.append(time.monotonic())
        exchange.status(429, Retry_After="1")

    def ready(exchange: Exchange) -> None:
        came.append(time.monotonic())
        says("Now.")(exchange)

    with chat_server(in_turn([busy, ready])) as server:
        assert generated(server.url) == "Now."
    assert 0.9 < came[1] - came[0] < 5


@pytest.mark.parametrize(
    ("status", "tries", "hint"),
    [(500, 2, "Without a model"), (401, 1, "BABELENS_LLM_KEY"), (404, 1, "/v1"), (413, 1, "fewer")],
)
def test_what_stays_refused_is_an_error(status: int, tries: int, hint: str) -> None:
    body = '{"error": {"message": "no such luck"}}'
    with (
        chat_server(lambda exchange: exchange.status(status, body)) as server,
        pytest.raises(GenerationError, match=f"HTTP {status}.*no such luck") as caught,
    ):
        generated(server.url, retries=1)
    assert len(server.requests) == tries
    assert hint in str(caught.value.hint)


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    with pytest.raises(GenerationError, match=r"connection to .* failed") as caught:
        generated(url, retries=0)
    assert "runs" in str(caught.value.hint)


def test_silence_ends() -> None:
    def behave(exchange: Exchange) -> None:
        exchange.begin()
        exchange.piece("The fuse")
        exchange.stop.wait(10)

    with chat_server(behave) as server, pytest.raises(GenerationError, match=r"silent for 0\.3 s") as caught:
        generated(server.url, timeout=0.3)
    assert caught.value.partial == "The fuse"


def test_a_slow_stream_is_fine_within_the_deadline() -> None:
    def behave(exchange: Exchange) -> None:
        exchange.begin()
        for letter in "slowly":
            time.sleep(0.1)
            exchange.piece(letter)
        exchange.end()

    with chat_server(behave) as server:
        assert generated(server.url, timeout=5.0) == "slowly"


@pytest.mark.parametrize("sent", ["pieces", "comments"])
def test_what_never_ends_is_ended(sent: str) -> None:
    def behave(exchange: Exchange) -> None:
        exchange.begin()
        while not exchange.stop.wait(0.02):
            if sent == "pieces":
                exchange.piece("and ")
            else:  # the client never shows these, but they keep the connection alive
                exchange.send(": still here\n")

    with chat_server(behave) as server, pytest.raises(GenerationError, match="did not finish within 1 s"):
        generated(server.url, deadline=1.0)


def test_a_stream_that_breaks_off_is_no_answer() -> None:
    def behave(exchange: Exchange) -> None:
        exchange.begin()
        exchange.piece("Do ")
        exchange.piece("not")  # … open it while it is hot

    with chat_server(behave) as server, pytest.raises(GenerationError, match="broke off") as caught:
        generated(server.url)
    assert caught.value.partial == "Do not"


def test_a_stream_that_breaks_off_in_a_chunk() -> None:
    def behave(exchange: Exchange) -> None:
        exchange._handler.send_response(200)
        exchange._handler.send_header("Content-Type", "text/event-stream")
        exchange._handler.send_header("Content-Length", "100000")
        exchange._handler.end_headers()
        exchange.piece("Do not")
        exchange.send('data: {"choices": [{"del')
        exchange._handler.close_connection = True

    with chat_server(behave) as server, pytest.raises(GenerationError, match="failed") as caught:
        generated(server.url)
    assert caught.value.partial == "Do not"


@pytest.mark.parametrize(
    "sent",
    [
        "data: {not json\n\n",
        "data: [1, 2]\n\n",
        'data: {"hello": "world"}\n\n',
        'data: {"choices": "many"}\n\n',
        'data: {"choices": [7]}\n\n',
        'data: {"choices": [{"delta": {"content": 5}}]}\n\n',
        "data: null\n\n",
        "<html><body>Sign in to continue</body></html>",
        '{"choices": [{"message": {"content": "not streamed"}}]}',
        "\x00\x01\x02",
        "",
    ],
)
def test_garbage_is_an_error(sent: str) -> None:
    def behave(exchange: Exchange) -> None:
        exchange.begin()
        exchange.send(sent)

    with chat_server(behave) as server, pytest.raises(GenerationError):
        generated(server.url)


def test_bytes_that_are_no_text() -> None:
    def behave(exchange: Exchange) -> None:
        exchange.begin()
        exchange._handler.wfile.write(b'data: {"choices": [{"delta": {"content": "\xff\xfe"}}]}\n\n')

    with chat_server(behave) as server, pytest.raises(GenerationError):
        generated(server.url)


def test_an_error_inside_the_stream() -> None:
    def behave(exchange: Exchange) -> None:
        exchange.begin()
        exchange.piece("The")
        exchange.send('data: {"error": {"message": "out of memory"}}\n\n')

    with chat_server(behave) as server, pytest.raises(GenerationError, match="out of memory"):
        generated(server.url)


@pytest.mark.parametrize("said", ["", "  \n", "<think>Hm.</think>", "<think>Hm, and no end"])
def test_saying_nothing_is_an_error(said: str) -> None:
    with chat_server(says(said)) as server, pytest.raises(GenerationError, match="empty reply"):
        generated(server.url)


@pytest.mark.parametrize(("finish", "says_so"), [("length", "2048 tokens"), ("content_filter", "filter")])
def test_an_answer_that_was_cut_is_an_error(finish: str, says_so: str) -> None:
    with (
        chat_server(says("Never", finish=finish)) as server,
        pytest.raises(GenerationError, match=says_so) as e,
    ):
        generated(server.url)
    assert e.value.partial == "Never"


def test_options_that_a_vendor_refuses_are_left_out() -> None:
    def choosy(exchange: Exchange) -> None:
        for wrong in ("max_tokens", "temperature"):
            if wrong in exchange.request.body:
                error = f'{{"error": {{"message": "no {wrong}", "param": "{wrong}"}}}}'
                return exchange.status(400, error, Content_Type="application/json")
        return says("Fine.")(exchange)

    with chat_server(choosy) as server:
        assert generated(server.url, max_tokens=77) == "Fine."
    assert server.requests[-1].body["max_completion_tokens"] == 77


def test_other_bad_requests_are_errors() -> None:
    def refuse(exchange: Exchange) -> None:
        exchange.status(
            400, '{"error": {"message": "no", "param": "messages"}}', Content_Type="application/json"
        )

    with chat_server(refuse) as server, pytest.raises(GenerationError, match="HTTP 400"):
        generated(server.url)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_documents_do_not_follow_a_redirect(status: int) -> None:
    with chat_server(says("Give me all.")) as elsewhere:
        moved = f"{elsewhere.url}/chat/completions"
        with (
            chat_server(lambda exchange: exchange.status(status, Location=moved)) as server,
            pytest.raises(GenerationError, match=f"HTTP {status}"),
        ):
            generated(server.url)
    assert elsewhere.requests == []


def test_what_other_programs_left_in_the_environment_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "OPENAI_API_KEY": "sk-secret",
        "OPENAI_ORG_ID": "org-secret",
        "OPENAI_PROJECT_ID": "proj-secret",
    }
    secrets |= {"OPENAI_ADMIN_KEY": "adm-secret"}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    with chat_server(says("Well.")) as server:
        assert generated(server.url) == "Well."
        assert generated(server.url, key="mine") == "Well."
    for request in server.requests:
        assert "secret" not in str(request.headers)
    assert server.requests[1].headers["authorization"] == "Bearer mine"


def test_the_key_is_not_shown() -> None:
    assert "mine" not in repr(OpenAIGenerator("http://127.0.0.1/v1", "tiny", key="mine"))


def test_nothing_configured_is_no_generator() -> None:
    assert configured_generator(environment={}) is None
    assert configured_generator(environment={"OPENAI_API_KEY": "x", "BABELENS_LLM_KEY": "y"}) is None


@pytest.mark.parametrize(
    ("model", "url", "name"),
    [
        ("http://127.0.0.1:8080/v1/qwen3", "http://127.0.0.1:8080/v1", "qwen3"),
        ("https://host/v1/meta-llama/Llama-3", "https://host/v1", "meta-llama/Llama-3"),
        ("https://host/api/v4/glm", "https://host/api/v4", "glm"),
        ("http://host:11434/llama3", "http://host:11434", "llama3"),
        ("other", "http://set/v1", "other"),
        ("org/other", "http://set/v1", "org/other"),
        (None, "http://set/v1", "set"),
    ],
)
def test_where_a_model_is(model: str | None, url: str, name: str) -> None:
    environment = {"BABELENS_LLM_URL": "http://set/v1", "BABELENS_LLM_MODEL": "set", "BABELENS_LLM_KEY": "k"}
    generator = configured_generator(model, environment=environment)
    assert generator is not None
    assert (generator.url, generator.name, generator.key) == (url, name, "k")
    assert not generator.sees
    seeing = configured_generator(model, environment={**environment, "BABELENS_LLM_VISION": "1"})
    assert seeing is not None
    assert seeing.sees


@pytest.mark.parametrize(
    ("model", "environment"),
    [
        ("qwen3", {}),
        (None, {"BABELENS_LLM_URL": "http://host/v1"}),
        (None, {"BABELENS_LLM_MODEL": "qwen3"}),
        ("http://host", {}),
        ("http://host/v1/", {}),
        ("ftp://host/v1/qwen3", {}),
        (None, {"BABELENS_LLM_URL": "host:8080", "BABELENS_LLM_MODEL": "qwen3"}),
    ],
)
def test_half_a_configuration_is_an_error(model: str | None, environment: dict[str, str]) -> None:
    with pytest.raises(GenerationError) as caught:
        configured_generator(model, environment=environment)
    assert caught.value.hint


def test_a_caller_who_stops_reading_ends_the_thread() -> None:
    def behave(exchange: Exchange) -> None:
        exchange.begin()
        while not exchange.stop.wait(0.02):
            exchange.piece("and ")

    def readers() -> int:
        return sum(thread.name == "babelens-generate" for thread in threading.enumerate())

    before = readers()
    with chat_server(behave) as server:
        pieces = OpenAIGenerator(server.url, "tiny").generate(MESSAGES)
        next(pieces)
        pieces.close()  # type: ignore[attr-defined]
        ends = time.monotonic() + 10
        while readers() > before and time.monotonic() < ends:
            time.sleep(0.02)
        assert readers() == before


@pytest.mark.parametrize(
    ("pieces", "left"),
    [
        (["<th", "ink>I wonder", "</thi", "nk>\n\nYes", " [1]."], "Yes [1]."),
        (["\n<think>", "</think>"], ""),
        (["<", "5 V"], "<5 V"),
        (["<thin"], "<thin"),
        (["Yes <think>no</think>"], "Yes <think>no</think>"),
        (["<think>no end"], ""),
        ([], ""),
    ],
)
def test_thinking_aloud_is_left_out(pieces: list[str], left: str) -> None:
    assert "".join(without_thoughts(pieces)) == left


def test_import_costs_nothing_without_a_model(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = "import sys, babelens.answering; sys.exit(any(m in sys.modules for m in ('openai', 'PIL', 'py3langid')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_silence_that_is_borne_can_be_set() -> None:
    environment = {"BABELENS_LLM_URL": "http://127.0.0.1:8080/v1", "BABELENS_LLM_MODEL": "m"}
    generator = configured_generator(environment={**environment, "BABELENS_LLM_TIMEOUT": "900"})
    assert generator is not None
    assert generator.timeout == 900
    assert generator.deadline > 900
    for value in ("soon", "0", "-1", "nan", "inf"):
        with pytest.raises(GenerationError, match="BABELENS_LLM_TIMEOUT"):
            configured_generator(environment={**environment, "BABELENS_LLM_TIMEOUT": value})
