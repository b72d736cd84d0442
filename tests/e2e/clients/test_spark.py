"""PySpark with hadoop-azure: tokens from the broker, bytes by the agent."""

import pytest

from lab import clients as programs
from lab import names

pytestmark = pytest.mark.skipif(
    not programs.installed("spark"), reason="run ./bootstrap setup"
)

# The container is made by the driver, which tries a refusal once more only.
SPARK = """
import sys
from pyspark.sql import SparkSession
fs = "spark.hadoop.fs.azure."
spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.ui.enabled", "false")
    .config("spark.jars", sys.argv[1])
    .config(fs + "createRemoteFileSystemDuringInitialization", "true")
    .config(fs + "io.retry.max.retries", "1")
    .getOrCreate()
)
for host in sys.argv[2:]:
    at = f"abfss://spark@{host}/table"
    rows = spark.range(1000).selectExpr("id", "id % 3 as part")
    rows.write.partitionBy("part").parquet(at)
    rows.where("id < 10").write.mode("append").parquet(at + "/part=9")
    back = spark.read.parquet(at)
    print(back.count(), back.where("part = 2").count(), flush=True)
"""


def test_spark_writes_and_reads_then_is_refused(clients, trust, untouched):
    """One session for both: its start is most of the time."""
    result = clients.python(
        *(SPARK, programs.spark_jars(), names.DFS1, names.DFS_PUBLIC),
        name="spark",
        env=programs.spark_env(trust),
        timeout_s=200,
    )
    assert result.out.split() == ["1010", "333"], result
    assert clients.allowed(names.DFS1)
    tokens = [
        r["path"]
        for r in clients.records()
        if r["event"] == "token" and r["workload"]["user"] == "alice"
    ]
    assert tokens and set(tokens) == {"/metadata/identity/oauth2/token"}
    clients.refused(result)
