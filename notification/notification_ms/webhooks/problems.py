"""What callers of the routes of webhooks can act on."""

from chassis.http.errors import Problem


class EndpointNotFound(Problem):
    status = 404
    title = "Webhook not found"
    code = "webhook_not_found"


class DeliveryNotFound(Problem):
    status = 404
    title = "Delivery not found"
    code = "webhook_delivery_not_found"


class TooManyEndpoints(Problem):
    status = 409
    title = "Too many webhooks"
    code = "too_many_webhooks"


class EndpointDisabled(Problem):
    status = 409
    title = "Webhook disabled"
    code = "webhook_disabled"
    detail = "Enable the webhook first: nothing is sent to it."
