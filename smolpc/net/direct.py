"""Short questions to a server on this machine or in this network: never through a proxy."""

from __future__ import annotations

import http.client

LARGEST = 4 << 20  # bytes of an answer


def get(
    host: str, port: int, path: str, *, api_key: str = "", timeout: float = 5
) -> tuple[int, bytes]:
    """Status and body (at most 4 MiB) of a GET. Raises OSError when nobody answers."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        promised = answer.length or 0
        body = answer.read(LARGEST)
        if len(body) < min(promised, LARGEST):
            raise ConnectionError("the answer ended too early")
        return answer.status, body
    except http.client.HTTPException as error:
        raise ConnectionError(str(error) or type(error).__name__) from error
    finally:
        connection.close()
