"""Compares a Parquet file with JSON lines of the same flows, by one reader of Parquet.

    compare.py pyarrow|duckdb|chdb FILE.parquet FILE.json
"""
import ipaddress
import json
import sys

reader, path, lines = sys.argv[1:]
flows = [json.loads(line) for line in open(lines)]

NUMBERS = ["sequence_num", "sampling_rate", "bytes", "packets", "src_port", "dst_port", "in_if", "out_if",
           "src_vlan", "dst_vlan", "vlan_id", "ip_tos", "ip_ttl", "tcp_flags", "icmp_type", "icmp_code",
           "ipv6_flow_label", "fragment_id", "src_as", "dst_as", "next_hop_as", "observation_domain_id"]
TIMES = ["time_received_ns", "time_flow_start_ns", "time_flow_end_ns"]
ADDRESSES = ["sampler_address", "src_addr", "dst_addr", "next_hop", "bgp_next_hop"]
LISTS = ["bgp_communities", "as_path", "mpls_label", "layer_size"]
OPTIONAL = ["flow_direction", "tunnel_id"]
EXTRA = ["flow_end_reason", "dropped_packets"]
TEXTS = ["in_if_name", "application_name"]


def packed(text):
    return ipaddress.ip_address(text).packed if text else b""


def expected(name):
    if name in ADDRESSES:
        return [packed(f[name]) for f in flows]
    if name in LISTS:
        return [f[name] for f in flows]
    if name in OPTIONAL:
        return [f.get(name) for f in flows]
    if name in EXTRA:
        return [f.get(name, 0) for f in flows]
    if name in TEXTS:
        return [f.get(name, "") for f in flows]
    return [f[name] for f in flows]


def check(name, got):
    want = expected(name)
    assert len(got) == len(want), (name, len(got), len(want))
    for i, (g, w) in enumerate(zip(got, want)):
        assert g == w, (name, "row", i, g, w)


ALL = NUMBERS + TIMES + ADDRESSES + LISTS + OPTIONAL + EXTRA + TEXTS

if reader == "pyarrow":
    import pyarrow as pa
    import pyarrow.parquet as pq
    f = pq.ParquetFile(path)
    schema = f.schema_arrow
    assert f.metadata.num_rows == len(flows), (f.metadata.num_rows, len(flows))
    assert schema.field("bytes").type == pa.uint64(), schema.field("bytes")
    assert schema.field("src_port").type == pa.uint32(), schema.field("src_port")
    assert schema.field("time_received_ns").type == pa.timestamp("ns", "UTC"), schema.field("time_received_ns")
    assert schema.field("src_addr").type == pa.binary()
    assert schema.field("in_if_name").type == pa.string()
    assert pa.types.is_list(schema.field("as_path").type)
    table = f.read()
    table.validate(full=True)
    for name in ALL:
        column = table.column(name)
        if name in TIMES:
            column = column.cast(pa.int64())
        check(name, column.to_pylist())
    for g in range(f.metadata.num_row_groups):
        group = f.read_row_group(g, columns=["src_port", "src_as", "time_received_ns"])
        for i in range(f.metadata.row_group(g).num_columns):
            c = f.metadata.row_group(g).column(i)
            if c.path_in_schema in ("src_port", "src_as"):
                values = group.column(c.path_in_schema).to_pylist()
                assert (c.statistics.min, c.statistics.max) == (min(values), max(values)), c
    picked = pq.read_table(path, filters=[("dst_port", "==", 443)], columns=["dst_port"])
    assert picked.num_rows == sum(f["dst_port"] == 443 for f in flows)
elif reader == "duckdb":
    import duckdb
    con = duckdb.connect()
    con.execute("set timezone='UTC'")
    types = {r[0]: r[1] for r in con.execute(f"describe select * from '{path}'").fetchall()}
    assert types["bytes"] == "UBIGINT" and types["src_port"] == "UINTEGER", types
    assert types["src_addr"] == "BLOB" and types["in_if_name"] == "VARCHAR" and types["as_path"] == "UINTEGER[]", types
    assert types["time_received_ns"].startswith("TIMESTAMP"), types
    print(types["time_received_ns"])
    for name in ALL:
        what = f"epoch_ns({name})" if name in TIMES else name
        got = [r[0] for r in con.execute(f"select {what} from '{path}'").fetchall()]
        if name in TIMES and "WITH TIME ZONE" in types[name]:
            got = [g // 1000 for g in got]
            want = [w // 1000 for w in expected(name)]
            assert got == want, name
            continue
        check(name, got)
    n, total = con.execute(f"select count(*), sum(bytes * sampling_rate) from '{path}' where dst_port = 443 and src_as >= 100").fetchone()
    want = [f for f in flows if f["dst_port"] == 443 and f["src_as"] >= 100]
    assert n == len(want) and (total or 0) == sum(f["bytes"] * f["sampling_rate"] for f in want), (n, total, len(want))
elif reader == "chdb":
    import chdb

    def query(sql):
        text = chdb.query(sql, "JSONCompactEachRow").bytes().decode()
        return [json.loads(line) for line in text.splitlines()]

    src = f"file('{path}', Parquet)"
    types = {r[0]: r[1] for r in query(f"describe {src}")}
    assert types["bytes"].endswith("UInt64") or "UInt64" in types["bytes"], types
    assert "UInt32" in types["src_port"] and "DateTime64(9" in types["time_received_ns"], types
    assert "String" in types["src_addr"] and "Array" in types["as_path"], types
    print(types["src_addr"], types["time_received_ns"])
    for name in ALL:
        what = name
        if name in TIMES:
            what = f"toUnixTimestamp64Nano({name})"
        if name in ADDRESSES:
            what = f"hex({name})"
        got = [r[0] for r in query(f"select {what} from {src} settings max_threads=1, input_format_parquet_preserve_order=1, output_format_json_quote_64bit_integers=0")]
        if name in ADDRESSES:
            got = [bytes.fromhex(g) for g in got]
        check(name, got)
    n, total = query(f"select count(), sum(bytes * sampling_rate) from {src} where dst_port = 443 and src_as >= 100 settings output_format_json_quote_64bit_integers=0")[0]
    want = [f for f in flows if f["dst_port"] == 443 and f["src_as"] >= 100]
    assert n == len(want) and total == sum(f["bytes"] * f["sampling_rate"] for f in want), (n, total)
print(reader, "agrees on", len(flows), "flows")
