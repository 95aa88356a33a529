package kafka

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/weirflow/weir/internal/kafkatest"
)

// faultRate is how many flows a second are offered in the tests of faults, and
// faultFlows how many in all, however long a broker takes to start.
const (
	faultRate  = 50_000
	faultFlows = 1_000_000
)

// underLoad offers flows while a fault is done to the cluster, and for some
// time before and after, and checks that each is there once.
func underLoad(t *testing.T, k *kafkatest.Cluster, c Config, fault func() error) *driver {
	t.Helper()
	c.Topic = newTopic(t, k, 6, nil)
	c.Brokers = k.Brokers()
	c.BufferBytes = 8 << 20
	s, _ := open(t, c)
	eventually(t, "availability", s.Available)
	d := drive(t, s)

	done := make(chan error, 1)
	start := time.Now()
	var until time.Time
	go func() {
		time.Sleep(1500 * time.Millisecond)
		done <- fault()
	}()
	for until.IsZero() || time.Now().Before(until) {
		if due := min(uint64(time.Since(start).Seconds()*faultRate), faultFlows); due > d.next {
			d.add(due-d.next, 1000)
		}
		d.pump()
		d.receive(2 * time.Millisecond)
		for d.receive(0) {
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			until = time.Now().Add(1500 * time.Millisecond)
			d.add(20_000, 1000) // after the fault, at any rate
		default:
		}
	}
	d.finish()
	n := s.Counters()
	t.Logf("%d flows in %v; sent again %d, handed back %d, known to the broker %d, resets %d, changes %d",
		d.next, time.Since(start).Round(time.Millisecond), n.Retried(), d.back, n.Known(), n.Resets(), n.Changes())
	a := d.tally(reader(t, k, c.Topic))
	if a.lost != 0 || c.Hashing && (a.disorder != 0 || len(a.scattered) != 0) {
		t.Errorf("%d flows lost of %d, %d out of order, scattered %v", a.lost, d.next, a.disorder, a.scattered)
	}
	if limit := n.MaybeRepeated(); a.repeated > limit || s.set.numbered && limit > 0 {
		t.Errorf("%d flows repeated, %d counted as such", a.repeated, limit)
	}
	return d
}

func script(k *kafkatest.Cluster, args ...string) error {
	_, err := k.Script(args...)
	return err
}

// shapes are the extremes.
var shapes = map[string]Config{
	"flow":  {Shape: ShapeFlow, Linger: 20 * time.Millisecond},
	"batch": {Shape: ShapeBatch, Hashing: true, Compression: "lz4", MaxMessageBytes: 100_000},
}

func TestRealBrokerStopped(t *testing.T) {
	k := cluster(t, 1)
	d := underLoad(t, k, shapes["flow"], func() error {
		if err := script(k, "broker", "1", "stop"); err != nil {
			return err
		}
		time.Sleep(2 * time.Second)
		return script(k, "broker", "1", "start")
	})
	// How much is handed back for the spool depends on what was under way, but the
	// hub must have been told to spool from then on.
	if n := d.sink.Counters().Changes(); n < 3 {
		t.Errorf("availability changed %d times, want up, down and up", n)
	}
}

func TestRealBrokerKilled(t *testing.T) {
	k := cluster(t, 1)
	for name, c := range map[string]Config{
		"batch":           shapes["batch"],
		"without numbers": {Acks: "1", Hashing: true},
	} {
		t.Run(name, func(t *testing.T) {
			underLoad(t, k, c, func() error {
				if err := script(k, "broker", "1", "kill"); err != nil {
					return err
				}
				return script(k, "broker", "1", "start")
			})
		})
	}
}

// TestRealBrokerPaused: connections stay and nothing answers.
func TestRealBrokerPaused(t *testing.T) {
	k := cluster(t, 1)
	for name, c := range shapes {
		t.Run(name, func(t *testing.T) {
			c.RequestTimeout = 2 * time.Second
			d := underLoad(t, k, c, func() error {
				if err := script(k, "broker", "1", "pause"); err != nil {
					return err
				}
				time.Sleep(8 * time.Second)
				return script(k, "broker", "1", "resume")
			})
			if d.sink.Counters().Errors(KindTimeout) == 0 {
				t.Error("no timeout was noticed")
			}
		})
	}
}

// TestRealLeaderMoves: leaders move among three brokers, and then one is
// killed.
func TestRealLeaderMoves(t *testing.T) {
	k := cluster(t, 3)
	for name, c := range shapes {
		t.Run(name, func(t *testing.T) {
			d := underLoad(t, k, c, func() error {
				for round := range 3 {
					if err := moveLeaders(k, round); err != nil {
						return err
					}
					time.Sleep(700 * time.Millisecond)
				}
				if err := script(k, "broker", "2", "kill"); err != nil {
					return err
				}
				time.Sleep(3 * time.Second)
				return script(k, "broker", "2", "start")
			})
			if d.sink.Counters().Errors(KindLeader) == 0 {
				t.Error("no move was noticed")
			}
		})
	}
}

// moveLeaders moves the leaders of the newest topic of the tests.
func moveLeaders(k *kafkatest.Cluster, round int) error {
	clusters.Lock()
	topic := fmt.Sprintf("test-%d-%d", os.Getpid(), clusters.topics)
	clusters.Unlock()
	return k.MoveLeaders(topic, 6, round)
}
