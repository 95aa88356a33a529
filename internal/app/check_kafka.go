package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/config"
)

// kafka checks what can be told of Kafka without asking the cluster, which need
// not be there, and the place of the spool.
func (r *report) kafka(cfg *config.Config) {
	k := &cfg.Kafka
	c := kafkaConfig(cfg, nil)
	if err := c.Validate(); err != nil {
		for line := range strings.Lines(err.Error()) {
			r.refuse("output", "kafka: "+strings.TrimSpace(line), "")
		}
		return
	}
	to := strings.Join(k.Brokers, ",")
	if k.SRV != "" {
		to = "brokers of " + k.SRV
	}
	r.ok("output", fmt.Sprintf("kafka topic %s at %s, message %s, acks %s", k.Topic, to, k.Message, k.Acks))
	r.spool(spoolDir(cfg, os.Getenv("STATE_DIRECTORY"), stateDir))
}

// spool looks whether the spool's directory can be used, or made.
func (r *report) spool(dir string, said bool) {
	if dir == noSpool {
		r.warn("spool", "none: what kafka does not take waits in memory only", "set -spool.dir")
		return
	}
	at, err := usable(dir)
	if err != nil {
		text := fmt.Sprintf("%s: %v", dir, err)
		if said {
			r.refuse("spool", text, "make the directory, writable for the user that weir runs as")
		} else {
			r.warn("spool", text+": there would be none", "set -spool.dir")
		}
		return
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(at, &fs); err != nil {
		r.warn("spool", fmt.Sprintf("%s: free space unknown: %v", dir, err), "")
		return
	}
	finding := fmt.Sprintf("%s, %d MiB free", dir, uint64(fs.Bavail)*uint64(fs.Bsize)>>20)
	if uint64(fs.Bavail)*uint64(fs.Bsize) < 1<<30 {
		r.warn("spool", finding, "a long outage of kafka fills this: give it more space")
		return
	}
	r.ok("spool", finding)
}

// usable returns the directory, or the one above it that exists, if this
// process may write there.
func usable(dir string) (string, error) {
	for {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			return "", errors.New("not a directory")
		}
		if err == nil {
			return dir, unix.Access(dir, unix.W_OK|unix.X_OK)
		}
		up := filepath.Dir(dir)
		if !errors.Is(err, os.ErrNotExist) || up == dir {
			return "", err
		}
		dir = up
	}
}
