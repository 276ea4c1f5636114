"""A check for schemathesis: what the description allows is never refused for its shape.

Other refusals are right: a password that is easy to guess, a cursor of another list, two values that exclude each
other. Codes PT-0001 and PT-0032, and OAuth's invalid_request, say that the shape was wrong.
"""
import schemathesis


@schemathesis.check
def shape_is_taken(ctx, response, case):
    if not 400 <= response.status_code < 500:
        return
    if not any("json" in kind for kind in response.headers.get("content-type", [])):
        return  # A page for a person who has followed a link.
    problem = response.json()
    assert problem.get("code") not in ("PT-0001", "PT-0032"), problem.get("detail")
    assert problem.get("error") != "invalid_request", problem
