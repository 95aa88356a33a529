package kafka

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/weirflow/weir/internal/kafkatest"
)

// clusters are the real clusters of this run of tests, by number of brokers.
// They start when a test first wants them.
var clusters struct {
	sync.Mutex
	up     map[int]*kafkatest.Cluster
	err    map[int]error
	topics int
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, c := range clusters.up {
		if err := c.Down(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// cluster returns a real cluster of 1 or 3 brokers: the one that KAFKA_TEST
// names if that fits, or one of the tests' own. The one of 3 makes no topics
// by itself. KAFKA_TEST=off skips all tests that want one.
func cluster(t *testing.T, nodes int) *kafkatest.Cluster {
	t.Helper()
	if testing.Short() || os.Getenv("KAFKA_TEST") == "off" {
		t.Skip("a real Kafka is not wanted (-short or KAFKA_TEST=off)")
	}
	clusters.Lock()
	defer clusters.Unlock()
	if clusters.up == nil {
		clusters.up, clusters.err = make(map[int]*kafkatest.Cluster), make(map[int]error)
	}
	if clusters.up[nodes] == nil && clusters.err[nodes] == nil {
		c, err := kafkatest.Join()
		if err == nil && (c == nil || c.Nodes != nodes || c.AutoCreate != (nodes == 1)) {
			c, err = kafkatest.Up(nodes, fmt.Sprintf("KAFKA_TEST_AUTO_CREATE=%v", nodes == 1))
		}
		if err != nil {
			clusters.err[nodes] = err
		} else {
			clusters.up[nodes] = c
		}
	}
	switch err := clusters.err[nodes]; {
	case err == nil:
	case errors.Is(err, kafkatest.ErrMissing) && os.Getenv("CI") != "true":
		t.Skip(err)
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
	return fmt.Sprintf("test-%d-%d", os.Getpid(), clusters.topics)
}

// reader reads a topic of a real cluster.
func reader(t *testing.T, c *kafkatest.Cluster, topic string) func(func(kafkatest.Message)) {
	return func(f func(kafkatest.Message)) {
		t.Helper()
		if err := c.Read(topic, f); err != nil {
			t.Fatal(err)
		}
	}
}
