#!/usr/bin/env python3
"""Runs every query of the dashboard of flows by chdb, which is ClickHouse in a library.

    query.py clickhouse.sql flow.proto flows.bin weir-flows.json

The tables are those of clickhouse.sql, with a queue in memory instead of Kafka; flows.bin
holds length-delimited flow messages. Macros of the Grafana plugin and variables of the
dashboard are replaced as the plugin documents them. Prints the title and the number of rows
of each query, and the first row; exits with 1 if one has none."""

import json
import pathlib
import re
import sys
import time

import chdb.session


def expand(sql, exporters):
    now = int(time.time())
    sql = re.sub(r"\$__timeFilter\(([^)]*)\)", rf"\1 >= toDateTime({now - 3600}) AND \1 <= toDateTime({now + 60})", sql)
    sql = re.sub(r"\$__timeInterval\(([^)]*)\)", r"toStartOfInterval(toDateTime(\1), INTERVAL 15 second)", sql)
    sql = sql.replace("$__interval_s", "15")
    sql = sql.replace("${exporter:singlequote}", ",".join(f"'{e}'" for e in exporters))
    if "$" in sql.replace("'^::ffff:'", ""):
        raise SystemExit(f"a variable is left: {sql}")
    return sql


def main(tables, schema, flows, dashboard):
    session = chdb.session.Session()
    session.query("CREATE DATABASE IF NOT EXISTS d")
    session.query("USE d")
    sql = re.sub(r"--.*", "", pathlib.Path(tables).read_text())
    sql = re.sub(r"ENGINE = Kafka\s+SETTINGS[^;]*;", "ENGINE = Memory;", sql)
    for statement in sql.split(";"):
        if statement.strip():
            session.query(statement)
    session.query(
        f"INSERT INTO flows_queue SELECT * FROM file('{pathlib.Path(flows).resolve()}', 'Protobuf') "
        f"SETTINGS format_schema='{pathlib.Path(schema).resolve()}:FlowMessage'"
    )
    page = json.loads(pathlib.Path(dashboard).read_text())

    def rows(query, exporters=()):
        return json.loads(str(session.query(expand(query, exporters), "JSON")))["data"]

    (variable,) = [v for v in page["templating"]["list"] if v["name"] == "exporter"]
    exporters = [r["exporter"] for r in rows(variable["query"])]
    print(f"variable exporter: {len(exporters)}: {exporters[:4]}")
    empty = not exporters
    for panel in page["panels"]:
        for target in panel.get("targets", []):
            data = rows(target["rawSql"], exporters)
            print(f"{panel['title']}: {len(data)}: {data[0] if data else None}")
            empty = empty or not data
    session.close()
    sys.exit(1 if empty else 0)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
