"""The name server's records, made from the Services of the API.

In: Services. Out: one file in the folder that the name server watches, `address name` a line; and outside names, given once. A headless
Service is left out: nothing here asks for one.
"""

import os
from pathlib import Path

from api import Api

ZONE = "svc.cluster.local"


class Names:
    def __init__(self, folder: Path, api: Api, outside: dict[str, str]) -> None:
        self.file, self.api, self.outside = folder / "services", api, outside
        folder.mkdir()
        folder.chmod(0o755)

    def step(self) -> None:
        records = {name: address for name, address in self.outside.items()}
        for service in self.api.items("/api/v1/services"):
            address = service["spec"].get("clusterIP", "None")
            if address != "None":
                records[f"{service['metadata']['name']}.{service['metadata']['namespace']}.{ZONE}"] = address
        text = "".join(f"{address} {name}\n" for name, address in sorted(records.items()))
        if not self.file.exists() or self.file.read_text() != text:
            self.file.write_text(text)  # in place: that the name server notices, whole because it is one small write
            os.chmod(self.file, 0o644)
