package app

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/sink"
	"github.com/weirflow/weir/sink/kafka"
	"github.com/weirflow/weir/sink/spool"
)

const (
	// stateDir is where the spool is if nobody says anything.
	stateDir = "/var/lib/weir"
	// spoolFolder is the spool's folder below a state directory.
	spoolFolder = "kafka-spool"
	// noSpool is what -spool.dir says where no spool is wanted.
	noSpool = "none"
)

// kafkaConfig returns what the configuration says of Kafka.
func kafkaConfig(cfg *config.Config, log *slog.Logger) kafka.Config {
	k := &cfg.Kafka
	format := kafka.FormatJSON
	switch cfg.Format {
	case "bin":
		format = kafka.FormatProtobuf
	case "text":
		format = kafka.FormatText
	}
	return kafka.Config{
		Brokers: k.Brokers,
		SRV:     k.SRV,
		Topic:   k.Topic,
		Version: k.Version,
		TLS: kafka.TLS{
			Enable: k.TLS, CA: k.TLSCA, Cert: k.TLSClient, Key: k.TLSKey, Insecure: k.TLSInsecure,
		},
		SASL:             kafka.SASL{Mechanism: k.SASL, User: k.SASLUser, Password: k.SASLPassword},
		MaxMessageBytes:  k.MaxMessageBytes,
		FlushBytes:       k.FlushBytes,
		Linger:           k.Linger,
		Hashing:          k.Hashing,
		Compression:      k.Compression,
		CompressionLevel: k.CompressionLevel,
		Acks:             k.Acks,
		Idempotent:       kafka.Idempotent(k.Idempotent),
		Shape:            kafka.Shape(k.Message),
		Format:           format,
		Logger:           log,
	}
}

// kafkaCap returns how much memory the Kafka output may take beside the lanes'
// batches, of which each has so many bytes: batches in place of those that it
// holds, copies of what is in them, compressed and not, and those read from the
// spool.
func kafkaCap(batch int64) int64 {
	return 3*kafka.DefaultBufferBytes + sink.DefaultWindow*batch
}

// openKafka opens the Kafka sink and its spool. The cluster need not be there.
func openKafka(cfg *config.Config, log *slog.Logger) (*output, error) {
	s, err := kafka.New(kafkaConfig(cfg, log))
	if err != nil {
		return nil, fmt.Errorf("open kafka output: %w", err)
	}
	out := &output{kafka: s}
	if out.spool, err = openSpool(cfg, os.Getenv("STATE_DIRECTORY"), stateDir, log); err != nil {
		_ = s.Close() // nothing was written
		return nil, err
	}
	return out, nil
}

// spoolDir returns where the spool is, and whether that was said. systemd is
// the value of STATE_DIRECTORY, which may list several.
func spoolDir(cfg *config.Config, systemd, fallback string) (dir string, said bool) {
	if cfg.Spool.Dir != "" {
		return cfg.Spool.Dir, true
	}
	if first, _, _ := strings.Cut(systemd, ":"); first != "" {
		return filepath.Join(first, spoolFolder), true
	}
	return filepath.Join(fallback, spoolFolder), false
}

// openSpool opens the spool. A directory that was not asked for and cannot be
// used is no reason not to start: the result is nil then.
func openSpool(cfg *config.Config, systemd, fallback string, log *slog.Logger) (*spool.Log, error) {
	const without = "what kafka does not take waits in memory only; set -spool.dir"
	dir, said := spoolDir(cfg, systemd, fallback)
	if dir == noSpool {
		log.Info("no spool, as configured: " + without)
		return nil, nil
	}
	l, err := spool.Open(spool.Config{Dir: dir, MaxBytes: cfg.Spool.MaxBytes, Logger: log})
	switch {
	case err == nil:
		log.Info("spool is ready", "dir", dir, "max_bytes", cfg.Spool.MaxBytes, "mode", cfg.Spool.Mode)
		return l, nil
	case said && errors.Is(err, spool.ErrLocked):
		return nil, fmt.Errorf("%w: by another weir? Give each its own -spool.dir", err)
	case said:
		return nil, err
	}
	log.Warn("no spool: "+without, "error", err)
	return nil, nil
}
