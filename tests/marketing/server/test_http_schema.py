"""The description of the HTTP door is true, and no request breaks a running platform.

Schemathesis, which nobody here wrote, reads /openapi.json of a live platform, makes requests from it, right
and wrong ones, and checks each answer: no status that is not described, no server error, no body of another
kind, and nothing for whoever leaves the token out.
"""

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis (test extra) is not installed")
from schemathesis import checks, openapi  # noqa: E402
from schemathesis.specs.openapi import checks as openapi_checks  # noqa: E402

EXAMPLES = 15
"""Requests of each kind for each route."""
CHECKS = (
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.ignored_auth,
    openapi_checks.unsupported_method,
)


def test_every_answer_is_one_that_is_described(platform, town):
    one = platform(
        mode="live",
        clock={"mode": "live", "start_s": 36_000, "factor": 1.0},
        imports={"dir": "imports", "poll_s": 0.05},
        http={"port": 0, "rate_per_s": 0},
    )
    url, headers = one.door
    schema = openapi.from_dict(httpx.get(f"{url}/openapi.json", headers=headers, timeout=20).json())
    statuses: dict[str, set[int]] = {}

    def hold(operation, mode):
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def run(case):
            answer = case.call(base_url=url, headers=headers, timeout=20)
            statuses.setdefault(operation.label, set()).add(answer.status_code)
            case.validate_response(answer, checks=CHECKS)

        run()

    operations = [one.ok() for one in schema.get_all_operations()]
    assert len(operations) == 11
    for operation in operations:
        hold(operation, schemathesis.GenerationMode.POSITIVE)
        if operation.body or operation.path_parameters or operation.query:  # else nothing can be wrong
            hold(operation, schemathesis.GenerationMode.NEGATIVE)
    assert statuses["POST /campaigns/reload"] == {200}
    assert 422 in statuses["POST /campaigns/{campaign}/trigger"] | statuses["PUT /imports/profiles"]
    assert httpx.get(f"{url}/healthz", timeout=20).json()["healthy"]
    count = len(one.centre.submits)
    one.push({"t": "2009-03-02 10:00", "sub": 3, "kind": "call_ended", "role": 1, "peer": b"10086"})
    one.until(lambda: len(one.centre.submits) == count + 1)
    assert one.stop() == 0
