package kafkatest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

// ErrMissing says that there is nothing to run Kafka with.
var ErrMissing = errors.New("a real Kafka needs Java 17 and Maven (Debian: apt-get install openjdk-17-jre-headless maven)")

// A Cluster is a real Kafka that scripts/kafka runs.
type Cluster struct {
	Version    string `json:"version"`
	Nodes      int    `json:"nodes"`
	State      string `json:"state"`
	Dir        string `json:"dir"`
	AutoCreate bool   `json:"auto_create"`
	Plain      string `json:"brokers"` // lists, separated by commas
	TLS        string `json:"tls_brokers"`
	MTLS       string `json:"mtls_brokers"`
	SASL       string `json:"sasl_brokers"`
	SASLTLS    string `json:"sasl_tls_brokers"`
	CA         string `json:"ca"`
	OtherCA    string `json:"other_ca"`
	Cert       string `json:"cert"`
	Key        string `json:"key"`
	User       string `json:"user"`
	Password   string `json:"password"`

	root  string // of the module
	dir   string // our own, removed by Down
	place Place
}

// A Place is where a cluster runs if that is not simply this host, for instance
// a network namespace. The zero value is this host.
type Place struct {
	// Run runs a command there to its end. What the command leaves behind
	// stays there.
	Run func(cmd *exec.Cmd) error
	// Dial connects from there.
	Dial func(network, address string) (net.Conn, error)
}

// dialer is a Place's Dial as sarama wants it.
type dialer func(network, address string) (net.Conn, error)

func (d dialer) Dial(network, address string) (net.Conn, error) { return d(network, address) }

// Join returns the cluster that KAFKA_TEST names, or nil if it names none.
func Join() (*Cluster, error) {
	path := os.Getenv("KAFKA_TEST")
	if path == "" {
		return nil, nil
	}
	return load(path)
}

func load(path string) (*Cluster, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read cluster: %w", err)
	}
	c := new(Cluster)
	if err := json.Unmarshal(text, c); err != nil {
		return nil, fmt.Errorf("read cluster %q: %w", path, err)
	}
	c.root, err = moduleRoot()
	return c, err
}

// Up starts a cluster of 1 or 3 brokers. env are further variables of
// scripts/kafka, as NAME=value. The error wraps ErrMissing if Java or Maven
// is not there.
func Up(nodes int, env ...string) (*Cluster, error) { return UpAt(Place{}, nodes, env...) }

// UpAt is Up in another place. The address for brokers to listen on there is
// given by KAFKA_TEST_HOST.
func UpAt(place Place, nodes int, env ...string) (*Cluster, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	for _, tool := range []string{"java", "mvn", "openssl", "bash"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMissing, err)
		}
	}
	dir, err := os.MkdirTemp("", "weir-kafkatest-")
	if err != nil {
		return nil, fmt.Errorf("start cluster: %w", err)
	}
	c := &Cluster{root: root, dir: dir, place: place, State: filepath.Join(dir, "state")}
	// Should the tests end without Down, for instance because they took too
	// long, the cluster ends with them.
	env = append(env, "KAFKA_TEST_STATE="+c.State, "KAFKA_TEST_OWNER="+strconv.Itoa(os.Getpid()))
	out, err := c.run(env, "up", strconv.Itoa(nodes))
	if err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("start cluster: %w", err)
	}
	path := ""
	for line := range strings.Lines(out) {
		if p, ok := strings.CutPrefix(strings.TrimSpace(line), "export KAFKA_TEST="); ok {
			path = p
		}
	}
	up, err := load(path)
	if err != nil {
		c.Down()
		return nil, err
	}
	up.dir, up.place = dir, place
	return up, nil
}

// Down ends a cluster that Up has started.
func (c *Cluster) Down() error {
	if c.dir == "" {
		return nil
	}
	_, err := c.Script("down")
	os.RemoveAll(c.dir)
	return err
}

// Script runs scripts/kafka on this cluster and returns what it prints.
func (c *Cluster) Script(args ...string) (string, error) {
	return c.run([]string{"KAFKA_TEST_STATE=" + c.State}, args...)
}

func (c *Cluster) run(env []string, args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(c.root, "scripts", "kafka"), args...)
	cmd.Env = append(os.Environ(), env...)
	var out, complaints strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaints
	run := (*exec.Cmd).Run
	if c.place.Run != nil {
		run = c.place.Run
	}
	if err := run(cmd); err != nil {
		return out.String(), fmt.Errorf("scripts/kafka %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(complaints.String()))
	}
	return out.String(), nil
}

// Brokers returns the addresses of the plain listeners.
func (c *Cluster) Brokers() []string { return strings.Split(c.Plain, ",") }

func (c *Cluster) config() *sarama.Config {
	config := sarama.NewConfig()
	config.ClientID = "weir-test"
	config.Version = sarama.V2_8_0_0
	config.Consumer.Fetch.Default = 4 << 20
	config.Consumer.MaxWaitTime = 50 * time.Millisecond
	if c.place.Dial != nil {
		config.Net.Proxy.Enable, config.Net.Proxy.Dialer = true, dialer(c.place.Dial)
	}
	return config
}

// Admin returns an administrator, to be closed.
func (c *Cluster) Admin() (sarama.ClusterAdmin, error) {
	return sarama.NewClusterAdmin(c.Brokers(), c.config())
}

// Topic makes a topic with as many replicas as there are brokers, three at
// most.
func (c *Cluster) Topic(name string, partitions int, config map[string]string) error {
	admin, err := c.Admin()
	if err != nil {
		return fmt.Errorf("make topic: %w", err)
	}
	defer admin.Close()
	entries := make(map[string]*string)
	for k, v := range config {
		entries[k] = &v
	}
	err = admin.CreateTopic(name, &sarama.TopicDetail{
		NumPartitions: int32(partitions), ReplicationFactor: int16(c.Nodes), ConfigEntries: entries,
	}, false)
	if err != nil {
		return fmt.Errorf("make topic: %w", err)
	}
	return nil
}

// MoveLeaders gives each of the topic's partitions another of three brokers as
// its first replica, and the lead to it. Each round is another order.
func (c *Cluster) MoveLeaders(topic string, partitions, round int) error {
	admin, err := c.Admin()
	if err != nil {
		return fmt.Errorf("move leaders: %w", err)
	}
	defer admin.Close()
	orders := [][]int32{{1, 2, 3}, {2, 3, 1}, {3, 1, 2}}
	var assignment [][]int32
	var all []int32
	for p := range partitions {
		assignment = append(assignment, orders[(p+round)%3])
		all = append(all, int32(p))
	}
	if err := admin.AlterPartitionReassignments(topic, assignment); err != nil {
		return fmt.Errorf("move leaders: %w", err)
	}
	if _, err := admin.ElectLeaders(sarama.PreferredElection, map[string][]int32{topic: all}); err != nil {
		return fmt.Errorf("elect leaders: %w", err)
	}
	return nil
}

// Read calls f for every message that is in the topic now, partition by
// partition.
func (c *Cluster) Read(topic string, f func(Message)) error {
	client, err := sarama.NewClient(c.Brokers(), c.config())
	if err != nil {
		return fmt.Errorf("read topic: %w", err)
	}
	defer client.Close()
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return fmt.Errorf("read topic: %w", err)
	}
	defer consumer.Close()
	partitions, err := client.Partitions(topic)
	if err != nil {
		return fmt.Errorf("read topic: %w", err)
	}
	for _, p := range partitions {
		if err := readPartition(client, consumer, topic, p, f); err != nil {
			return fmt.Errorf("read partition %d of topic %s: %w", p, topic, err)
		}
	}
	return nil
}

func readPartition(client sarama.Client, consumer sarama.Consumer, topic string, p int32, f func(Message)) error {
	oldest, err := client.GetOffset(topic, p, sarama.OffsetOldest)
	if err != nil {
		return err
	}
	newest, err := client.GetOffset(topic, p, sarama.OffsetNewest)
	if err != nil {
		return err
	}
	if oldest == newest {
		return nil
	}
	pc, err := consumer.ConsumePartition(topic, p, oldest)
	if err != nil {
		return err
	}
	defer pc.Close()
	deadline := time.After(time.Minute)
	for {
		select {
		case m := <-pc.Messages():
			headers := make(map[string]string, len(m.Headers))
			for _, h := range m.Headers {
				headers[string(h.Key)] = string(h.Value)
			}
			f(Message{Partition: p, Offset: m.Offset, Time: m.Timestamp, Key: m.Key, Value: m.Value, Headers: headers})
			if m.Offset == newest-1 {
				return nil
			}
		case <-deadline:
			return errors.New("not all messages came within a minute")
		}
	}
}

// moduleRoot returns the folder of go.mod above the working directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = up
	}
}
