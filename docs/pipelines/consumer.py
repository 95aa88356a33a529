#!/usr/bin/env python3
"""Read flows from Kafka, whatever their message's shape.

    pip install confluent-kafka protobuf grpcio-tools
    python -m grpc_tools.protoc -I producer/flowpb --python_out=. flow.proto
    consumer.py BROKERS TOPIC [FLOWS]

A message is one length-delimited FlowMessage, or many, one after the other:
the same loop reads both. With FLOWS it ends after so many."""

import io
import ipaddress
import sys

from confluent_kafka import Consumer
from google.protobuf.proto import parse_length_prefixed

import flow_pb2


def flows(value):
    """The flows of a message."""
    stream = io.BytesIO(value)
    while (flow := parse_length_prefixed(flow_pb2.FlowMessage, stream)) is not None:
        yield flow


def address(packed):
    return str(ipaddress.ip_address(packed)) if packed else "-"


def main(brokers, topic, limit=0):
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": f"consumer-py-{topic}", "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    seen = octets = 0
    try:
        while not limit or seen < limit:
            message = consumer.poll(30)
            if message is None:
                raise SystemExit(f"no message for 30 s, {seen} flows so far")
            if message.error():
                raise SystemExit(message.error())
            for flow in flows(message.value()):
                seen += 1
                octets += flow.bytes
                if not limit:
                    print(address(flow.src_addr), address(flow.dst_addr), flow.proto, flow.src_port, flow.dst_port, flow.bytes)
    finally:
        consumer.close()
    print(f"flows {seen} bytes {octets}")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        raise SystemExit(__doc__)
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0)
