package kafkalive

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/weirflow/weir/internal/kafkatest"
)

// weirProgram and so on are the programs of the tests. TestMain alone writes
// them.
var weirProgram, genProgram, replayProgram string

// clusters are the real clusters of this run of tests, by number of brokers.
// They start when a test first wants them.
var clusters struct {
	sync.Mutex
	up     map[int]*kafkatest.Cluster
	err    map[int]error
	topics int
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if off() {
		return m.Run() // everything is skipped
	}
	dir, err := os.MkdirTemp("", "weir-kafkalive-")
	if err == nil {
		defer os.RemoveAll(dir)
		weirProgram, genProgram, replayProgram = filepath.Join(dir, "weir"), filepath.Join(dir, "gen"), filepath.Join(dir, "replay")
		err = errors.Join(build(weirProgram, "cmd/weir"), build(genProgram, "bench/gen"), build(replayProgram, "bench/replay"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build programs:", err)
		return 1
	}
	code := m.Run()
	for _, c := range clusters.up {
		if err := c.Down(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	return code
}

// build builds a program as make build does.
func build(path, folder string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, "github.com/weirflow/weir/"+folder)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

func off() bool { return os.Getenv("KAFKA_TEST") == "off" }

// needKafka skips a test where a real Kafka is not wanted.
func needKafka(t *testing.T) {
	t.Helper()
	if testing.Short() || off() {
		t.Skip("a real Kafka is not wanted (-short or KAFKA_TEST=off)")
	}
}

// missing skips a test that lacks something, or fails it where CI=true.
func missing(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("with CI=true this test must run: %v", err)
	}
	t.Skip(err)
}

// cluster returns a real cluster of 1 or 3 brokers. The one of 3 makes no topics
// by itself.
func cluster(t *testing.T, nodes int) *kafkatest.Cluster {
	t.Helper()
	needKafka(t)
	clusters.Lock()
	defer clusters.Unlock()
	if clusters.up == nil {
		clusters.up, clusters.err = make(map[int]*kafkatest.Cluster), make(map[int]error)
	}
	if clusters.up[nodes] == nil && clusters.err[nodes] == nil {
		c, err := kafkatest.Up(nodes, fmt.Sprintf("KAFKA_TEST_AUTO_CREATE=%v", nodes == 1))
		if err != nil {
			clusters.err[nodes] = err
		} else {
			clusters.up[nodes] = c
		}
	}
	switch err := clusters.err[nodes]; {
	case err == nil:
	case errors.Is(err, kafkatest.ErrMissing):
		missing(t, err)
	default:
		t.Fatal(err)
	}
	return clusters.up[nodes]
}

// newTopic makes a topic for this test alone.
func newTopic(t *testing.T, c *kafkatest.Cluster, partitions int, config map[string]string) string {
	t.Helper()
	name := topicName()
	if err := c.Topic(name, partitions, config); err != nil {
		t.Fatal(err)
	}
	return name
}

func topicName() string {
	clusters.Lock()
	defer clusters.Unlock()
	clusters.topics++
	return fmt.Sprintf("live-%d-%d", os.Getpid(), clusters.topics)
}
