"""The API against its own OpenAPI description: schemathesis makes requests that fit it, and ones that do not."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed: pip install schemathesis")

from schemathesis import GenerationMode  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_schema_conformance,
    status_code_conformance,
)

OPERATIONS = [
    ("/healthz", "GET"),
    ("/api/models", "GET"),
    ("/api/predict", "POST"),
    ("/api/lab", "POST"),
    ("/api/corrections", "GET"),
    ("/api/corrections", "POST"),
    ("/api/corrections", "DELETE"),
    ("/api/corrections.csv", "GET"),
    ("/api/corrections/{id}", "DELETE"),
    ("/api/inside", "POST"),
    ("/api/trainings", "POST"),
    ("/api/trainings/{id}", "POST"),
    ("/api/trainings/{id}/ask", "POST"),
    ("/api/trainings/{id}/events", "GET"),
]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
QUICK = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def schema(app):
    return schemathesis.openapi.from_wsgi("/api/openapi.json", app)


def test_the_description_names_every_route(app, schema):
    described = {(result.ok().path, result.ok().method.upper()) for result in schema.get_all_operations()}
    assert described == set(OPERATIONS)
    routes = {
        (re.sub(r"<(?:int:)?(\w+)>", r"{\1}", rule.rule), method)
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if not rule.rule.startswith("/static") and rule.rule not in ("/", "/api/openapi.json")
    }
    assert routes == described


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_what_fits_the_description_is_answered_as_described(schema, path, method):
    @QUICK
    @given(case=schema[path][method].as_strategy(generation_mode=GenerationMode.POSITIVE))
    def check(case):
        # A picture of random bytes, and a data URL of random letters, fit the description and are none.
        pictures = case.media_type != "application/json" or "data:" in str(case.body)
        refused = (path == "/api/predict" and pictures) or "trainings" in path  # there are no rows to train on here
        fits = [] if refused else [positive_data_acceptance]
        case.call_and_validate(checks=CHECKS + fits)

    check()


@pytest.mark.parametrize(("path", "method"), [o for o in OPERATIONS if o[1] == "POST"])
def test_what_does_not_fit_is_refused(schema, path, method):
    @QUICK
    @given(case=schema[path][method].as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def check(case):
        case.call_and_validate(checks=[*CHECKS, negative_data_rejection])

    check()
