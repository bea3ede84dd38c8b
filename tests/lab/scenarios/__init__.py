"""The reference scenarios, one subject a file. RECORDINGS maps each name to the function that records it."""

from scenarios import churn, cronjob, dual, marks, node, overlay, selectors, shop, telemetry, tenants, webtest

RECORDINGS = {
    name: record
    for part in (shop, webtest, cronjob, tenants, churn, node, dual, overlay, telemetry, selectors, marks)
    for name, record in part.RECORDINGS.items()
}
