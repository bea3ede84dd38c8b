"""The reference scenarios, one subject a file. RECORDINGS maps each name to the function that records it."""

from scenarios import cronjob, shop, webtest

RECORDINGS = {**shop.RECORDINGS, **webtest.RECORDINGS, **cronjob.RECORDINGS}
