"""Certificates for tests of TLS, made anew for each run."""

import subprocess
from pathlib import Path


class Certificates:
    """An authority, and what it has signed for `localhost`: for a server and for a client."""

    password = "secret"

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        key = ["-newkey", "rsa:2048", "-nodes"]
        self._openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=ca")
        (folder / "extensions").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
        for name in ("server", "client"):
            self._openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
            signed = ["-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"]
            self._openssl("x509", "-req", *signed, "-extfile", "extensions", "-out", f"{name}.pem")
        store = ["-inkey", "server.key", "-in", "server.pem", "-passout", f"pass:{self.password}"]
        self._openssl("pkcs12", "-export", *store, "-out", "server.p12")

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def server_config(self, port: int) -> dict:
        """What a server needs in its zoo.cfg to speak TLS on a port and ask for certificates."""
        return {
            "secureClientPort": str(port),
            "serverCnxnFactory": "org.apache.zookeeper.server.NettyServerCnxnFactory",
            "ssl.keyStore.location": self.path("server.p12"),
            "ssl.keyStore.password": self.password,
            "ssl.trustStore.location": self.path("ca.pem"),
            "ssl.trustStore.type": "PEM",
        }

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)
