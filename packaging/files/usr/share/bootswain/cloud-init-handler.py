"""Takes bootswain's part of the user-data off cloud-init's hands, so that
cloud-init does not warn of it. It does nothing with it: bootswain reads the
user-data itself.

https://cloudinit.readthedocs.io/en/latest/explanation/format.html#part-handler
"""

import logging

handler_version = 2
frequency = "always"

OURS = "text/x-bootswain"
# What cloud-init calls user-data of one part whose first line it does not know.
# All of it comes here, so that what is not ours is warned of as ever.
UNKNOWN = "text/x-not-multipart"


def list_types():
    return [OURS, UNKNOWN]


def handle_part(_data, ctype, _filename, payload, _frequency):
    if ctype != UNKNOWN or not payload:
        return
    if isinstance(payload, bytes):
        payload = payload.decode("utf-8", "replace")
    lines = payload.lstrip("\ufeff \t\r\n").splitlines() or [""]
    if lines[0].strip() != "#bootswain":
        logging.getLogger("bootswain").warning("Unhandled non-multipart (%s) userdata: %r...", ctype, lines[0][:24])
