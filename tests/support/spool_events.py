"""The callback of a SpoolContext, for tests that open a spool without a shipper."""

from sevendigital_async.shipping.events import BatchDue, SpoolAlertChanged


def callback(*, alerts=None, wake=None, others=None):
    """Return a callback that passes alerts, kinds of due batches and all other events to these functions."""

    def emit(event):
        match event:
            case SpoolAlertChanged(alert=alert):
                function, argument = alerts, alert
            case BatchDue(kind=kind):
                function, argument = wake, kind
            case _:
                function, argument = others, event
        if function is not None:
            function(argument)

    return emit
