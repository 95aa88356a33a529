#!/bin/bash
# goflow2 -format=nonsense
set -e
docker pull netsampler/goflow2
mkdir -p /var/log/goflow2
ulimit -n 65536
docker run --rm -p 2055:2055/udp \
  netsampler/goflow2 \
  -format text
cd . && goflow2 -listen sflow://:6343 -addr "" 2>&1 | tee log
bash -c 'goflow2 -produce raw | cat > raw.json'
pkill goflow2
