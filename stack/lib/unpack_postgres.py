"""unpack_postgres.py JAR FOLDER: unpacks the archive of PostgreSQL's programs that lies in a JAR."""

import io
import sys
import tarfile
import zipfile

with zipfile.ZipFile(sys.argv[1]) as jar:
    (name,) = [name for name in jar.namelist() if name.endswith(".txz")]
    with tarfile.open(fileobj=io.BytesIO(jar.read(name)), mode="r:xz") as archive:
        archive.extractall(sys.argv[2], filter="fully_trusted" if hasattr(tarfile, "data_filter") else None)
