-- Flows from Kafka into ClickHouse. Both message shapes: the Protobuf format
-- reads one length-delimited flow from a message, or many.
--
-- Copy flow.proto (producer/flowpb/flow.proto) to the server's folder of
-- format schemas, /var/lib/clickhouse/format_schemas, first.

-- The columns have the names of the schema's fields; leave out what you do
-- not want.
CREATE TABLE flows_queue
(
    type               LowCardinality(String),
    time_received_ns   UInt64,
    time_flow_start_ns UInt64,
    time_flow_end_ns   UInt64,
    sequence_num       UInt32,
    sampling_rate      UInt64,
    sampler_address    String,
    src_addr           String,
    dst_addr           String,
    bytes              UInt64,
    packets            UInt64,
    etype              UInt32,
    proto              UInt32,
    src_port           UInt32,
    dst_port           UInt32,
    in_if              UInt32,
    out_if             UInt32,
    src_as             UInt32,
    dst_as             UInt32,
    as_path            Array(UInt32)
)
ENGINE = Kafka
SETTINGS
    kafka_broker_list = 'kafka:9092',
    kafka_topic_list = 'flow-messages',
    kafka_group_name = 'clickhouse',
    kafka_num_consumers = 1,
    kafka_format = 'Protobuf',
    kafka_schema = 'flow.proto:FlowMessage';

CREATE TABLE flows
(
    time_received  DateTime64(9, 'UTC'),
    time_start     DateTime64(9, 'UTC'),
    time_end       DateTime64(9, 'UTC'),
    type           LowCardinality(String),
    sequence_num   UInt32,
    sampling_rate  UInt64,
    sampler        IPv6,
    src            IPv6,
    dst            IPv6,
    bytes          UInt64,
    packets        UInt64,
    etype          UInt32,
    proto          UInt8,
    src_port       UInt16,
    dst_port       UInt16,
    in_if          UInt32,
    out_if         UInt32,
    src_as         UInt32,
    dst_as         UInt32,
    as_path        Array(UInt32)
)
ENGINE = MergeTree
PARTITION BY toDate(time_received)
ORDER BY (time_received, src, dst);

-- Addresses are 4 or 16 bytes, or none. IPv4 is kept as IPv4-mapped IPv6.
CREATE FUNCTION flow_address AS (a) -> CAST(
    multiIf(
        length(a) = 4, toFixedString(concat(unhex('00000000000000000000FFFF'), a), 16),
        length(a) = 16, toFixedString(a, 16),
        toFixedString('', 16)
    ) AS IPv6);

CREATE MATERIALIZED VIEW flows_view TO flows AS
SELECT
    fromUnixTimestamp64Nano(toInt64(time_received_ns), 'UTC') AS time_received,
    fromUnixTimestamp64Nano(toInt64(time_flow_start_ns), 'UTC') AS time_start,
    fromUnixTimestamp64Nano(toInt64(time_flow_end_ns), 'UTC') AS time_end,
    type,
    sequence_num,
    sampling_rate,
    flow_address(sampler_address) AS sampler,
    flow_address(src_addr) AS src,
    flow_address(dst_addr) AS dst,
    bytes,
    packets,
    etype,
    toUInt8(proto) AS proto,
    toUInt16(src_port) AS src_port,
    toUInt16(dst_port) AS dst_port,
    in_if,
    out_if,
    src_as,
    dst_as,
    as_path
FROM flows_queue;
