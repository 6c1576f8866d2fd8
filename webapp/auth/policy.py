"""Who may call what: one row an endpoint."""

from __future__ import annotations

from typing import Final

from flask import Flask

Roles = frozenset[str]
ANYONE: Final[Roles] = frozenset({"anyone"})
SIGNED_IN: Final[Roles] = frozenset({"analyst", "publisher", "auditor", "admin"})
PREDICTORS: Final[Roles] = SIGNED_IN - {"auditor"}
READERS: Final[Roles] = frozenset({"auditor", "admin"})
PUBLISHERS: Final[Roles] = frozenset({"publisher", "admin"})
ADMINS: Final[Roles] = frozenset({"admin"})
#: Every endpoint and who may call it; the start fails for one that has no row. Whose records a person sees is
#: decided further down, in the services.
POLICY: dict[str, Roles] = {
    "bootstrap.static": ANYONE,
    "probes.livez": ANYONE,
    "probes.readyz": ANYONE,
    "probes.metrics": ANYONE,  # of this machine, which the probe checks itself
    "api.login": ANYONE,
    "api.refresh": ANYONE,  # shows a refresh token, which is no access token
    "api.logout": SIGNED_IN,
    "api.list_models": SIGNED_IN,
    "api.show_model": SIGNED_IN,
    "api.list_versions": SIGNED_IN,
    "api.list_releases": SIGNED_IN,
    "api.show_live": SIGNED_IN,
    "api.promote": PUBLISHERS,
    "api.roll_back": PUBLISHERS,
    "api.change_alias": PUBLISHERS,
    "api.decide": PUBLISHERS,
    "api.model_experiments": SIGNED_IN,  # to look at; who may begin one is asked in the service
    "api.show_experiment": SIGNED_IN,
    "api.end_experiment": PUBLISHERS,
    "api.show_version": SIGNED_IN,
    "api.compare_versions": SIGNED_IN,
    "api.publish_version": PUBLISHERS,
    "api.list_submissions": SIGNED_IN,  # who was a publisher still sees what came of it
    "api.show_submission": SIGNED_IN,
    "api.cancel_submission": SIGNED_IN,  # one's own, which the service asks
    "api.choose_engine": PUBLISHERS,
    "api.predict": PREDICTORS,
    "api.predict_default": PREDICTORS,
    "api.list_predictions": SIGNED_IN,
    "api.show_prediction": SIGNED_IN,
    "api.show_lineage": SIGNED_IN,
    "api.report_outcome": PREDICTORS,
    "api.prove_prediction": SIGNED_IN,
    "api.prove_event": READERS,
    "api.newest_checkpoint": SIGNED_IN,  # the more people keep one, the better
    "api.prove_consistency": SIGNED_IN,
    "api.batches": SIGNED_IN,  # to look at; who may send one is asked where it is taken in
    "api.show_job": SIGNED_IN,
    "api.cancel_job": PREDICTORS,
    "api.show_result": SIGNED_IN,
    "api.openapi_document": ANYONE,  # the models are in it only for somebody signed in
    "api.docs": ANYONE,
    "api.errors": ANYONE,
    "api.docs_asset": ANYONE,
    "open_inference.live": ANYONE,
    "open_inference.ready": ANYONE,
    "open_inference.server": SIGNED_IN,
    "open_inference.models": SIGNED_IN,
    "open_inference.metadata": SIGNED_IN,
    "open_inference.model_ready": SIGNED_IN,
    "open_inference.infer": PREDICTORS,
    "repository.index": SIGNED_IN,
    "repository.statistics": SIGNED_IN,  # of the records that they may see, which the service asks
    "predict_v1.models": SIGNED_IN,
    "predict_v1.status": SIGNED_IN,
    "predict_v1.predict": PREDICTORS,
    "mlflow.ping": ANYONE,
    "mlflow.version": SIGNED_IN,
    "mlflow.invoke_default": PREDICTORS,
    "mlflow.invoke": PREDICTORS,
    "login.sign_in": ANYONE,
    "login.code": ANYONE,  # who has shown a password in the same browser, which the page checks itself
    "login.reset": ANYONE,  # who has the link
    "login.sign_out": SIGNED_IN,
    "home.dashboard": SIGNED_IN,
    "home.chart": SIGNED_IN,
    "models.index": SIGNED_IN,
    "models.show": SIGNED_IN,
    "releases.index": SIGNED_IN,
    "releases.change": PUBLISHERS,
    "experiments.index": SIGNED_IN,
    "experiments.start": PUBLISHERS,
    "experiments.show": SIGNED_IN,
    "experiments.end": PUBLISHERS,
    "models.card": SIGNED_IN,
    "models.compare": SIGNED_IN,
    "submissions.new": PUBLISHERS,
    "submissions.index": SIGNED_IN,
    "submissions.show": SIGNED_IN,
    "submissions.state": SIGNED_IN,
    "submissions.cancel": SIGNED_IN,  # one's own, which the service asks
    "submissions.choose": PUBLISHERS,
    "predictions.form": PREDICTORS,
    "predictions.fill": PREDICTORS,  # shows the form again with other values in it, and asks nothing
    "history.index": SIGNED_IN,
    "history.export": SIGNED_IN,
    "history.export_parquet": SIGNED_IN,
    "history.record": SIGNED_IN,
    "history.print_record": SIGNED_IN,
    "history.list_saved": SIGNED_IN,
    "history.save": SIGNED_IN,
    "history.change_saved": SIGNED_IN,
    "history.review": PREDICTORS,
    "history.outcome": PREDICTORS,
    "audit.print_history": SIGNED_IN,
    "evidence.index": READERS,
    "evidence.verify": READERS,
    "evidence.run": READERS,
    "evidence.state": READERS,
    "evidence.cancel": READERS,
    "evidence.live": READERS,
    "evidence.checkpoint": SIGNED_IN,  # the more people keep one, the better
    "evidence.consistency": SIGNED_IN,
    "evidence.keys": SIGNED_IN,
    "evidence.verifier": SIGNED_IN,
    "evidence.record_proof": SIGNED_IN,
    "evidence.event_proof": READERS,
    "jobs.index": SIGNED_IN,
    "jobs.new": PREDICTORS,
    "jobs.show": SIGNED_IN,
    "jobs.state": SIGNED_IN,
    "jobs.result": SIGNED_IN,
    "jobs.problems": SIGNED_IN,
    "jobs.act": PREDICTORS,
    "account.index": SIGNED_IN,
    "account.display": SIGNED_IN,
    "account.make_token": SIGNED_IN,
    "account.end_sign_in": SIGNED_IN,
    "account.end_others": SIGNED_IN,
    "account.factor": SIGNED_IN,
    "account.change_factor": SIGNED_IN,
    "admin.people": ADMINS,
    "admin.create_user": ADMINS,
    "admin.person": ADMINS,
    "admin.change_user": ADMINS,
    "access.index": ADMINS,
    "access.model": ADMINS,
    "activity.index": READERS,
    "subjects.index": READERS,
    "subjects.export": READERS,
    "subjects.print_all": READERS,
    "subjects.erase": ADMINS,
    "subjects.restrict": ADMINS,
    "retention.index": READERS,
    "retention.change": ADMINS,
    "assets.send": ANYONE,
}
#: Faces of programs: they take tokens and never the cookie.
TOKEN_FACES = frozenset({"api", "open_inference", "repository", "predict_v1", "mlflow"})
#: Those of other servers' protocols, some of whose clients can show no token.
WIRE_FACES = TOKEN_FACES - {"api"}
#: Their records are committed only if no account changed meanwhile, so they may trust a recent count.
CHECKED_AT_COMMIT = frozenset(
    {
        "api.predict",
        "api.predict_default",
        "open_inference.infer",
        "predict_v1.predict",
        "mlflow.invoke",
        "mlflow.invoke_default",
    }
)
#: They take so many files, which may be larger than other bodies.
UPLOADS = {"jobs.new": 1, "submissions.new": 3}
#: What was typed into these forms is carried through a sign-in, where one is needed to send them.
CARRIED = frozenset({"predictions.form", "predictions.fill"})
#: What somebody with a one-time password can still open.
BEFORE_CHANGE = frozenset({"account.index", "login.sign_out"})


def check_policy(app: Flask) -> None:
    """Raises RuntimeError naming endpoints without a row in POLICY, and rows without an endpoint."""
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
    bare, stale = sorted(endpoints - POLICY.keys()), sorted(POLICY.keys() - endpoints)
    if bare or stale:
        raise RuntimeError(f"auth.POLICY: endpoints without a row: {bare}; rows without an endpoint: {stale}")
