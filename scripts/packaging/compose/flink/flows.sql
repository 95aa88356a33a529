-- Traffic of each source in windows of ten seconds, from the topic of weir to another topic.

SET 'pipeline.name' = 'weir: traffic by source';
-- Partitions without flows do not hold the windows up.
SET 'table.exec.source.idle-timeout' = '5 s';

CREATE TABLE flows (
  time_received_ns BIGINT,
  sampling_rate    BIGINT,
  sampler_address  STRING,
  src_addr         STRING,
  dst_addr         STRING,
  proto            STRING,
  src_port         INT,
  dst_port         INT,
  `bytes`          BIGINT,
  packets          BIGINT,
  received AS TO_TIMESTAMP_LTZ(time_received_ns / 1000000, 3),
  WATERMARK FOR received AS received - INTERVAL '5' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'flow-messages',
  'properties.bootstrap.servers' = 'kafka:9092',
  'properties.group.id' = 'flink',
  'properties.auto.offset.reset' = 'earliest',
  'scan.startup.mode' = 'group-offsets',
  'format' = 'json',
  'json.ignore-parse-errors' = 'true'
);

CREATE TABLE sources (
  window_start TIMESTAMP(3),
  src_addr     STRING,
  octets       BIGINT,
  packets      BIGINT,
  flows        BIGINT
) WITH (
  'connector' = 'kafka',
  'topic' = 'flow-sources',
  'properties.bootstrap.servers' = 'kafka:9092',
  'format' = 'json'
);

-- A sampling rate that is not known is 0, and counts as 1.
INSERT INTO sources
SELECT window_start, src_addr,
       SUM(`bytes` * GREATEST(sampling_rate, CAST(1 AS BIGINT))),
       SUM(packets * GREATEST(sampling_rate, CAST(1 AS BIGINT))),
       COUNT(*)
FROM TABLE(TUMBLE(TABLE flows, DESCRIPTOR(received), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, src_addr;
