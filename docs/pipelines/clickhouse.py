#!/usr/bin/env python3
"""Try clickhouse.sql without a server: chdb, which is ClickHouse in a library,
reads exactly the bytes of the messages of a topic, each message by itself as
the Kafka engine does, and the materialized view fills the table of flows.

    pip install chdb confluent-kafka
    clickhouse.py BROKERS TOPIC flow.proto

prints the number of flows and the sum of their bytes."""

import pathlib
import re
import sys
import tempfile

import chdb.session
from confluent_kafka import Consumer, TopicPartition


def messages(brokers, topic):
    """All messages that are in the topic now."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "clickhouse-py", "enable.auto.commit": False})
    for partition in consumer.list_topics(topic, timeout=10).topics[topic].partitions:
        at = TopicPartition(topic, partition, 0)
        _, end = consumer.get_watermark_offsets(at, timeout=10)
        consumer.assign([at])
        got = 0
        while got < end:
            message = consumer.poll(10)
            if message is None or message.error():
                raise SystemExit(f"partition {partition}: {message and message.error()}")
            yield message.value()
            got = message.offset() + 1
    consumer.close()


def main(brokers, topic, schema):
    sql = pathlib.Path(__file__).with_name("clickhouse.sql").read_text()
    sql = re.sub(r"--.*", "", sql)
    # The queue is a plain table here, into which we put what Kafka holds.
    sql = re.sub(r"ENGINE = Kafka\s+SETTINGS[^;]*;", "ENGINE = Memory;", sql)
    session = chdb.session.Session()
    session.query("CREATE DATABASE IF NOT EXISTS d")
    session.query("USE d")
    for statement in sql.split(";"):
        if statement.strip():
            session.query(statement)
    with tempfile.TemporaryDirectory() as folder:
        for i, value in enumerate(messages(brokers, topic)):
            pathlib.Path(folder, f"{i}.bin").write_bytes(value)
        session.query(
            f"INSERT INTO flows_queue SELECT * FROM file('{folder}/*.bin', 'Protobuf') "
            f"SETTINGS format_schema='{pathlib.Path(schema).resolve()}:FlowMessage'"
        )
    print(str(session.query("SELECT count(), sum(bytes), uniqExact(src), min(src) FROM flows", "TSV")).strip())
    session.close()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
