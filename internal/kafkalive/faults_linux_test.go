package kafkalive

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/kafkatest"
	"github.com/weirflow/weir/internal/testnet"
)

// batchShape is the other extreme to the default.
var batchShape = []string{"-transport.kafka.message", "batch", "-transport.kafka.compression", "lz4"}

// script runs commands of scripts/kafka.
func script(k *kafkatest.Cluster, commands ...[]string) error {
	for _, args := range commands {
		if _, err := k.Script(args...); err != nil {
			return err
		}
	}
	return nil
}

// outage ends broker 1 in a way, and starts it again when the time is over.
func (r *rig) outage(way string) func() error {
	return func() error {
		began := time.Now()
		if err := script(r.k, []string{"broker", "1", way}); err != nil {
			return err
		}
		time.Sleep(r.pace.fault - time.Since(began))
		return script(r.k, []string{"broker", "1", "start"})
	}
}

// outageMetrics are those that an outage moves.
var outageMetrics = []string{
	`records_sink_total{outcome="acknowledged"}`, `records_sink_total{outcome="spooled"}`, "records_spooled", "records_in_flight",
	"spool_bytes", "spool_oldest_seconds", "kafka_available", `kafka_errors_total{kind="connection"}`,
	"kafka_messages_total", "kafka_requests_total", `kafka_bytes_total{form="sent"}`, `kafka_bytes_total{form="uncompressed"}`,
	"kafka_delivery_seconds_count", "kafka_delivery_seconds_sum", `kafka_delivery_seconds_bucket{le="+Inf"}`, "kafka_held_bytes",
	`kafka_broker_requests_total{broker="1"}`, `kafka_broker_request_bytes_total{broker="1"}`, `kafka_broker_requests_in_flight{broker="1"}`,
	`kafka_broker_request_seconds_count{broker="1"}`, `kafka_broker_request_seconds_sum{broker="1"}`,
	"kafka_control_requests_total", "kafka_control_responses_total", `kafka_control_bytes_total{direction="sent"}`,
	`kafka_control_bytes_total{direction="received"}`, "kafka_control_seconds_total",
}

func TestBrokerStopped(t *testing.T) {
	for name, args := range map[string][]string{"flow": nil, "batch": batchShape} {
		t.Run(name, func(t *testing.T) {
			if name == "batch" {
				needFull(t)
			}
			r := newRig(t, cluster(t, 1), args...)
			r.start()
			res := r.run(r.outage("stop"))
			r.checkAll(res)
			if res.most.spooled == 0 {
				t.Error("nothing was spooled")
			}
			r.checkMoved(outageMetrics...)
			if n := res.metrics.get("kafka_delivery_seconds_count"); n != res.end.acked {
				t.Errorf("the delivery of %d flows was timed, %d are acknowledged", n, res.end.acked)
			}
			r.report(fmt.Sprintf("broker stopped for %v", r.pace.fault), res, "")
		})
	}
}

func TestBrokerKilled(t *testing.T) {
	needFull(t)
	for name, args := range map[string][]string{
		"flow": nil, "batch": batchShape, "without numbers": {"-transport.kafka.idempotent", "off"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, cluster(t, 1), args...)
			r.start()
			res := r.run(r.outage("kill"))
			if name == "without numbers" {
				r.checkWhole(res)
				r.report("broker kill -9, -transport.kafka.idempotent off", res,
					fmt.Sprintf("%d counted as maybe repeated", res.metrics.get("kafka_maybe_repeated_records_total")))
				return
			}
			r.checkAll(res)
			r.report(fmt.Sprintf("broker kill -9, started again after %v", r.pace.fault), res, "")
		})
	}
}

// TestBrokerPaused: connections stay and nothing answers; after that it is slow
// for a while.
func TestBrokerPaused(t *testing.T) {
	needFull(t)
	for name, args := range map[string][]string{"flow": nil, "batch": batchShape} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, cluster(t, 1), args...)
			r.start()
			pause := func(stopped, running time.Duration) error {
				if err := script(r.k, []string{"broker", "1", "pause"}); err != nil {
					return err
				}
				time.Sleep(stopped)
				err := script(r.k, []string{"broker", "1", "resume"})
				time.Sleep(running)
				return err
			}
			res := r.run(func() error {
				if err := pause(r.pace.fault, r.pace.fault/10); err != nil {
					return err
				}
				for range 10 {
					if err := pause(r.pace.fault/20, r.pace.fault/100); err != nil {
						return err
					}
				}
				return nil
			})
			r.checkAll(res)
			r.report(fmt.Sprintf("broker SIGSTOP for %v, then running a sixth of the time for %v", r.pace.fault, 10*(r.pace.fault/20+r.pace.fault/100)), res, "")
		})
	}
}

func TestLeaderMoves(t *testing.T) {
	needFull(t)
	for name, args := range map[string][]string{"flow": nil, "batch": batchShape} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, cluster(t, 3), args...)
			r.start()
			moves := 0
			res := r.run(func() error {
				for end := time.Now().Add(r.pace.fault); time.Now().Before(end); moves++ {
					if err := r.k.MoveLeaders(r.topic, 6, moves); err != nil {
						return err
					}
					time.Sleep(time.Second)
				}
				return nil
			})
			r.checkAll(res)
			if res.metrics.get(`kafka_errors_total{kind="leader"}`) == 0 {
				t.Error("no move was noticed")
			}
			r.report(fmt.Sprintf("leaders of 6 partitions moved %d times among 3 brokers", moves), res,
				fmt.Sprintf("%d refusals by former leaders", res.metrics.get(`kafka_errors_total{kind="leader"}`)))
		})
	}
}

// TestNetworkCut has weir and the broker in namespaces of their own, with a
// router between that stops forwarding.
func TestNetworkCut(t *testing.T) {
	needFull(t)
	lab := testnet.New(t)
	here, router, there := lab.AddHost("weir"), lab.AddHost("router"), lab.AddHost("kafka")
	testnet.Veth(t, here, "eth0", "10.77.1.2/24", "", router, "eth0", "10.77.1.1/24", "", 1)
	testnet.Veth(t, router, "eth1", "10.77.2.1/24", "", there, "eth0", "10.77.2.2/24", "", 1)
	for host, gateway := range map[*testnet.Host][]byte{here: {10, 77, 1, 1}, there: {10, 77, 2, 1}} {
		if err := host.Netlink().RouteAdd(&netlink.Route{Gw: gateway}); err != nil {
			t.Fatalf("add route: %v", err)
		}
	}
	forward := func(on string) error {
		return router.Do(func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte(on), 0) })
	}
	if err := forward("1"); err != nil {
		t.Fatal(err)
	}
	k, err := kafkatest.UpAt(kafkatest.Place{
		Run: func(cmd *exec.Cmd) error {
			if err := there.Do(cmd.Start); err != nil {
				return err
			}
			return cmd.Wait()
		},
		Dial: func(network, address string) (net.Conn, error) { return dial(there, network, address) },
	}, 1, "KAFKA_TEST_HOST=10.77.2.2")
	if err != nil {
		t.Fatal(err)
	}
	defer k.Down()

	r := newRig(t, k)
	r.host = here
	r.start()
	res := r.run(func() error {
		if err := forward("0"); err != nil {
			return err
		}
		time.Sleep(r.pace.fault)
		return forward("1")
	})
	r.checkAll(res)
	if res.most.spooled == 0 {
		t.Error("nothing was spooled")
	}
	r.report(fmt.Sprintf("network cut for %v: a router between drops all packets", r.pace.fault), res, "")
}

// smallDisk mounts a file system of so many MiB.
func smallDisk(t *testing.T, mib int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", mib)); err != nil {
		missing(t, fmt.Errorf("mount a small file system: %w (as root?)", err))
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestSpoolDiskFull: the spool's disk is full before the outage is over. What
// does not fit is lost and counted; nothing else is.
func TestSpoolDiskFull(t *testing.T) {
	needKafka(t)
	r := newRig(t, cluster(t, 1))
	r.spool = smallDisk(t, map[bool]int{true: 64, false: 6}[full()])
	r.start()
	res := r.run(r.outage("stop"))
	r.checkWhole(res)
	if res.account.repeated != 0 || res.end.dropped == 0 || res.end.dropped != res.metrics.get(`records_dropped_total{reason="disk_full"}`) {
		t.Errorf("%d repeated, %d dropped: %s", res.account.repeated, res.end.dropped, res.drops())
	}
	r.checkMoved(`records_sink_total{outcome="dropped"}`, `records_dropped_total{reason="disk_full"}`, `spool_errors_total{operation="append"}`)
	r.report(fmt.Sprintf("broker stopped for %v, the spool's disk has 64 MiB", r.pace.fault), res, "all missing are counted: "+res.drops())
}

// TestSpoolDiskFullBrokerThere: with -spool.mode always a full disk costs
// nothing while the broker is there.
func TestSpoolDiskFullBrokerThere(t *testing.T) {
	needFull(t)
	r := newRig(t, cluster(t, 1), "-spool.mode", "always")
	r.spool = smallDisk(t, 64)
	r.start()
	filler := r.spool + "/filler"
	res := r.run(func() error {
		// By another program: ENOSPC in the end.
		f, err := os.Create(filler)
		if err != nil {
			return err
		}
		defer f.Close()
		block := make([]byte, 64<<10)
		for end := time.Now().Add(r.pace.fault); time.Now().Before(end); {
			if _, err := f.Write(block); err != nil {
				time.Sleep(20 * time.Millisecond)
			}
		}
		return os.Remove(filler)
	})
	r.checkAll(res)
	r.report(fmt.Sprintf("the spool's disk filled by others for %v, -spool.mode always", r.pace.fault), res, "")
}

// TestWeirKilled: weir is killed in the midst of an outage, and started again
// before the broker is.
func TestWeirKilled(t *testing.T) {
	needKafka(t)
	k := cluster(t, 1)
	r := newRig(t, k)
	r.start()
	var before, after books // the last ledger of the first weir, the first of the second
	var port string
	res := r.run(func() error {
		began := time.Now()
		if err := script(k, []string{"broker", "1", "stop"}); err != nil {
			return err
		}
		time.Sleep(r.pace.fault/2 - time.Since(began))
		port = r.weir.listen
		r.mu.Lock() // nobody looks meanwhile
		first := r.weir
		before = first.scrape().books()
		first.kill()
		r.mu.Unlock()
		time.Sleep(r.pace.fault / 10)
		r.start("-listen", "flow://"+port)
		for after.recovered == 0 {
			if m := r.weir.scrape(); m != nil {
				after = m.books()
				if after.recovered == 0 {
					return fmt.Errorf("nothing was recovered: %+v", after)
				}
			}
		}
		time.Sleep(r.pace.fault - time.Since(began))
		return script(k, []string{"broker", "1", "start"})
	})
	// The second weir has counted what it found and what it received.
	a := res.account
	if want := res.end.recovered + res.end.produced - res.end.dropped; res.end.acked != want || res.end.dropped != 0 {
		t.Errorf("%d acknowledged by the second weir, %d recovered and %d produced, dropped: %s", res.end.acked, res.end.recovered, res.end.produced, res.drops())
	}
	// What the first had in its hands is missing or there. The first run of
	// missing numbers begins with it and goes on with what nobody received.
	onlyInMemory := before.produced - before.acked - before.spooled
	if len(a.runs) == 0 || len(a.runs) > 40 {
		t.Errorf("missing: %d runs of numbers", len(a.runs))
	}
	unique := before.acked + res.end.recovered + res.end.produced
	if a.flows+a.repeated < unique {
		t.Errorf("%d flows and %d copies in the topic; %d acknowledged before, %d recovered, %d received after",
			a.flows, a.repeated, before.acked, res.end.recovered, res.end.produced)
	}
	if res.end.recovered < before.spooled {
		t.Errorf("%d recovered, %d had been spooled", res.end.recovered, before.spooled)
	}
	// Gen goes on while nobody listens.
	nobody := uint64(float64(r.pace.pps*24) * 3)
	if a.missing > nobody+onlyInMemory+uint64(r.pace.pps*24) {
		t.Errorf("%d missing: %v", a.missing, a.runs)
	}
	r.checkMoved("spool_recovered_records")
	r.report("weir kill -9 in an outage, started again before the broker", res,
		fmt.Sprintf("recovered %d of %d spooled at the last look; missing are %d runs of numbers, at the time of the kill", res.end.recovered, before.spooled, len(a.runs)))
}
