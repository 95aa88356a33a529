package kafka

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirflow/weir/internal/kafkatest"
	"github.com/weirflow/weir/sink"
)

const topic = "flows"

// fakeConfig is a Config for a fake cluster, with short times.
func fakeConfig(f *kafkatest.Fake) Config {
	return Config{
		Brokers: f.Addresses(), Topic: topic, Version: "1.1.0", Linger: 5 * time.Millisecond,
		RequestTimeout: time.Second, GiveBackAfter: 100 * time.Millisecond,
	}
}

func TestEveryWay(t *testing.T) {
	for _, shape := range []Shape{ShapeFlow, ShapeBatch} {
		for _, format := range []Format{FormatProtobuf, FormatJSON} {
			for _, compression := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
				for _, hashing := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s/%s/%s/hashing=%v", shape, format, compression, hashing), func(t *testing.T) {
						f := newFake(t, 2, topic, 5)
						c := fakeConfig(f)
						c.Shape, c.Format, c.Compression, c.Hashing = shape, format, compression, hashing
						if compression == "zstd" {
							c.Version = "2.1.0" // the fake says which versions it has
						}
						c.MaxMessageBytes = 20_000
						s, _ := open(t, c)
						d := drive(t, s)
						d.add(3000, 170)
						d.finish()
						d.check(fakeReader(f))
						if shape == ShapeBatch && s.Counters().Messages() > 3000/20 {
							t.Errorf("%d messages for 3000 flows", s.Counters().Messages())
						}
					})
				}
			}
		}
	}
}

// TestKeyWithoutHashing: in flow shape the key is written and does not choose
// the partition.
func TestKeyWithoutHashing(t *testing.T) {
	f := newFake(t, 1, topic, 4)
	c := fakeConfig(f)
	s, _ := open(t, c)
	eventually(t, "availability", s.Available)
	d := drive(t, s)
	d.keyed = true
	for range 20 {
		d.add(100, 100)
		d.pump()
		flush(t, s)
	}
	d.finish()
	a := d.tally(fakeReader(f))
	if a.lost != 0 || a.repeated != 0 || len(a.scattered) == 0 {
		t.Errorf("account %+v", a)
	}
}

// TestFaults has brokers do all that brokers do.
func TestFaults(t *testing.T) {
	codes := []int16{3, 5, 6, 7, 8, 13, 14, 19, 20, 56, -1}
	wrote := map[int16]bool{3: true, 5: true, 6: true, 7: true, 8: true, 14: true, 13: true, 20: true, 56: true, -1: true} // it may have
	for _, shape := range []Shape{ShapeFlow, ShapeBatch} {
		for _, hashing := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/hashing=%v", shape, hashing), func(t *testing.T) {
				f := newFake(t, 3, topic, 6)
				f.React(func(partition int32, sets int) kafkatest.Reaction {
					switch {
					case chance(12):
						code := codes[sets%len(codes)]
						return kafkatest.Reaction{Code: code, Append: wrote[code] && chance(2)}
					case chance(25):
						return kafkatest.Reaction{Cut: true, Append: chance(2)}
					case sets == 9 || sets == 60:
						return kafkatest.Reaction{Hang: true}
					case chance(30):
						return kafkatest.Reaction{ThenLeads: int32(sets%3) + 1}
					case chance(10):
						return kafkatest.Reaction{Delay: time.Millisecond}
					}
					return kafkatest.Reaction{}
				})
				c := fakeConfig(f)
				c.Shape, c.Hashing, c.MaxMessageBytes = shape, hashing, 5000
				c.RequestTimeout = 300 * time.Millisecond
				s, _ := open(t, c)
				d := drive(t, s)
				d.add(6000, 50)
				n := s.Counters()
				felt := func() bool {
					return n.Retried() > 0 && n.Errors(KindConnection) > 0 && n.Errors(KindTimeout) > 0 && n.Errors(KindLeader) > 0
				}
				// Faults come by chance: on a busy machine it takes longer to
				// meet all of them.
				start := time.Now()
				for round := 0; time.Since(start) < 3*time.Second || !felt() && time.Since(start) < patience; round++ {
					if time.Since(start) > 3*time.Second && round%50 == 0 {
						d.add(500, 50)
					}
					d.pump()
					d.receive(5 * time.Millisecond)
				}
				f.React(nil)
				d.finish()
				d.check(fakeReader(f))
				if n.Retried() == 0 || n.Errors(KindConnection) == 0 || n.Errors(KindTimeout) == 0 || n.Errors(KindLeader) == 0 {
					t.Error("the faults were not felt")
				}
				if n.MaybeRepeated() != 0 || n.Resets() != 0 {
					t.Errorf("%d flows maybe repeated, %d resets", n.MaybeRepeated(), n.Resets())
				}
			})
		}
	}
}

// TestFaultsUnnumbered: without numbers nothing is lost and order is kept, and
// what is repeated was counted.
func TestFaultsUnnumbered(t *testing.T) {
	f := newFake(t, 2, topic, 4)
	f.React(func(_ int32, sets int) kafkatest.Reaction {
		if chance(8) {
			return kafkatest.Reaction{Cut: true, Append: sets%2 == 0}
		}
		return kafkatest.Reaction{}
	})
	c := fakeConfig(f)
	c.Acks, c.Hashing, c.MaxMessageBytes = "1", true, 5000
	s, _ := open(t, c)
	d := drive(t, s)
	d.add(3000, 50)
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		d.pump()
		d.receive(5 * time.Millisecond)
	}
	f.React(nil)
	d.finish()
	a := d.tally(fakeReader(f))
	if a.lost != 0 || a.disorder != 0 {
		t.Errorf("%d lost, %d out of order", a.lost, a.disorder)
	}
	if a.repeated == 0 || a.repeated > s.Counters().MaybeRepeated() {
		t.Errorf("%d flows repeated, %d counted as such", a.repeated, s.Counters().MaybeRepeated())
	}
}

// TestForgetfulBroker: a broker that loses its memory of the numbers costs
// nothing but a new producer id.
func TestForgetfulBroker(t *testing.T) {
	f := newFake(t, 1, topic, 3)
	f.React(func(_ int32, sets int) kafkatest.Reaction { return kafkatest.Reaction{Forget: sets%40 == 39} })
	c := fakeConfig(f)
	c.Hashing, c.MaxMessageBytes = true, 3000
	s, _ := open(t, c)
	d := drive(t, s)
	d.add(4000, 50)
	d.finish()
	a := d.tally(fakeReader(f))
	if a.lost != 0 || a.disorder != 0 || a.repeated > s.Counters().MaybeRepeated() {
		t.Errorf("%d lost, %d out of order, %d repeated, %d counted as such", a.lost, a.disorder, a.repeated, s.Counters().MaybeRepeated())
	}
	if s.Counters().Resets() == 0 || s.Counters().Errors(KindSequence) == 0 {
		t.Error("the broker has not forgotten anything")
	}
}

// TestOutage: what was not sent is handed back, what may have been written
// stays, and in the end all is there once.
func TestOutage(t *testing.T) {
	for _, hashing := range []bool{false, true} {
		t.Run(fmt.Sprintf("hashing=%v", hashing), func(t *testing.T) {
			f := newFake(t, 1, topic, 3)
			f.React(func(int32, int) kafkatest.Reaction { return kafkatest.Reaction{Delay: 3 * time.Millisecond} })
			c := fakeConfig(f)
			c.Hashing, c.MaxMessageBytes = hashing, 3000
			s, log := open(t, c)
			d := drive(t, s)
			for round := range 3 {
				eventually(t, "availability", s.Available)
				d.add(5000, 50)
				for d.acked < uint64(round*5000+500) {
					d.pump()
					d.receive(time.Millisecond)
				}
				f.Stop(1)
				eventually(t, "the outage", func() bool { d.receive(time.Millisecond); return !s.Available() })
				if b := fillBatch(0, 1, false); s.Submit(b) {
					t.Fatal("a batch was taken in an outage")
				}
				for end := time.Now().Add(400 * time.Millisecond); time.Now().Before(end); {
					d.receive(5 * time.Millisecond)
				}
				if round == 0 && d.back == 0 {
					t.Error("nothing was handed back")
				}
				f.Start(1)
			}
			d.finish()
			d.check(fakeReader(f))
			if s.Counters().MaybeRepeated() != 0 {
				t.Errorf("%d flows maybe repeated", s.Counters().MaybeRepeated())
			}
			if n := strings.Count(log.String(), `msg="kafka is available"`); n != 4 {
				t.Errorf("availability logged %d times, want 4", n)
			}
			if got := s.Counters().Changes(); got != 7 {
				t.Errorf("%d changes, want 7", got)
			}
		})
	}
}

// TestAbsent: the cluster comes later than the sink.
func TestAbsent(t *testing.T) {
	f := newFake(t, 1, topic, 3)
	f.Stop(1)
	s, log := open(t, fakeConfig(f))
	d := drive(t, s)
	d.add(100, 10)
	time.Sleep(700 * time.Millisecond)
	if d.pump(); s.Available() || len(d.out) > 0 {
		t.Error("available without a cluster")
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 || !strings.Contains(log.String(), "connection refused") {
		t.Errorf("%d errors logged, want one:\n%s", n, log)
	}
	f.Start(1)
	d.finish()
	d.check(fakeReader(f))
}

// TestNoTopic: the topic comes later than the sink.
func TestNoTopic(t *testing.T) {
	f := newFake(t, 1, topic, 3)
	f.TopicCode(3)
	s, log := open(t, fakeConfig(f))
	eventually(t, "the complaint", func() bool { return strings.Contains(log.String(), "kind=topic") })
	if s.Available() {
		t.Error("available without a topic")
	}
	f.TopicCode(0)
	d := drive(t, s)
	d.add(100, 10)
	d.finish()
	d.check(fakeReader(f))

	// The topic goes away, and comes back.
	f.TopicCode(3)
	d.add(100, 10)
	eventually(t, "the outage", func() bool { d.pump(); d.receive(time.Millisecond); return !s.Available() })
	f.TopicCode(0)
	d.finish()
	d.check(fakeReader(f))
}

// TestNoLeader: nobody leads a partition for a while. Without keys the others
// take over.
func TestNoLeader(t *testing.T) {
	f := newFake(t, 2, topic, 2)
	f.Move(1, -1)
	s, _ := open(t, fakeConfig(f))
	d := drive(t, s)
	d.add(1000, 100)
	d.finish()
	d.check(fakeReader(f))
	if n := len(f.Messages(1)); n != 0 {
		t.Errorf("%d messages in a partition without a leader", n)
	}
	f.Move(1, 2)
	eventually(t, "the new leader", func() bool {
		d.add(100, 100)
		d.finish()
		return len(f.Messages(1)) > 0
	})
	d.check(fakeReader(f))
}

// TestShrink: the topic is created again with fewer partitions.
func TestShrink(t *testing.T) {
	f := newFake(t, 1, topic, 6)
	c := fakeConfig(f)
	c.Hashing = true
	s, _ := open(t, c)
	d := drive(t, s)
	d.add(1000, 100)
	d.finish()
	before := f.All()
	f.Make(2)
	d.add(1000, 100)
	d.finish()
	a := d.tally(func(g func(kafkatest.Message)) {
		for _, m := range append(before, f.All()...) {
			g(m)
		}
	})
	if a.lost != 0 || a.repeated != 0 || len(f.All()) != 1000 {
		t.Errorf("account %+v, %d messages in the new topic", a, len(f.All()))
	}
}

// TestStoppingBroker: a broker that stops writes a set and says then that it is
// not the leader. When it is back the set must not be written again.
func TestStoppingBroker(t *testing.T) {
	for _, acks := range []string{"all", "1"} {
		f := newFake(t, 1, topic, 2)
		c := fakeConfig(f)
		c.Acks, c.MaxMessageBytes = acks, 3000
		s, _ := open(t, c)
		d := drive(t, s)
		d.add(500, 50)
		d.finish()
		// With acks 1 the leader answers right away, and has not written.
		f.React(func(int32, int) kafkatest.Reaction { return kafkatest.Reaction{Code: 6, Append: acks == "all"} })
		d.add(500, 50)
		d.pump()
		eventually(t, "the answer", func() bool { return s.Counters().Errors(KindLeader) > 0 })
		f.Stop(1)
		eventually(t, "the outage", func() bool { d.receive(time.Millisecond); return !s.Available() })
		for end := time.Now().Add(3 * c.GiveBackAfter); time.Now().Before(end); {
			d.receive(10 * time.Millisecond)
		}
		f.React(nil)
		f.Start(1)
		d.finish()
		d.check(fakeReader(f))
		if n := s.Counters().MaybeRepeated(); n != 0 && acks == "all" {
			t.Errorf("%d flows maybe repeated", n)
		}
	}
}

// TestDenied: the user may not write until an operator changes that.
func TestDenied(t *testing.T) {
	f := newFake(t, 1, topic, 2)
	f.React(func(int32, int) kafkatest.Reaction { return kafkatest.Reaction{Code: 29} })
	s, log := open(t, fakeConfig(f))
	d := drive(t, s)
	d.add(1000, 100)
	eventually(t, "the outage", func() bool {
		d.pump()
		d.receive(time.Millisecond)
		return strings.Contains(log.String(), "kind=authorization") && !s.Available()
	})
	time.Sleep(300 * time.Millisecond)
	f.React(nil)
	d.finish()
	d.check(fakeReader(f))
}

// TestTooLarge: sets that the broker finds too large are split, messages that
// it does are refused, and what follows is not held up.
func TestTooLarge(t *testing.T) {
	for _, shape := range []Shape{ShapeFlow, ShapeBatch} {
		for _, hashing := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/hashing=%v", shape, hashing), func(t *testing.T) {
				f := newFake(t, 1, topic, 2)
				f.MaxSet(250) // flows of 11 to 131 bytes, and their headers
				c := fakeConfig(f)
				c.Shape, c.Hashing, c.MaxMessageBytes = shape, hashing, 20_000
				s, log := open(t, c)
				d := drive(t, s)
				d.add(400, 100)
				d.finish()
				if d.refused == 0 || d.refused == d.next {
					t.Errorf("%d of %d flows refused", d.refused, d.next)
				}
				d.check(fakeReader(f))
				if !strings.Contains(log.String(), "kind=too_large") {
					t.Error("nothing was logged")
				}
			})
		}
	}
}

// TestTooLargeIsLearned: sets that the broker refuses for their size are made
// smaller from then on.
func TestTooLargeIsLearned(t *testing.T) {
	f := newFake(t, 1, topic, 2)
	f.MaxSet(4000)
	c := fakeConfig(f)
	c.MaxMessageBytes = 50_000
	s, _ := open(t, c)
	d := drive(t, s)
	d.add(1000, 100)
	d.finish()
	errs := s.Counters().Errors(KindTooLarge)
	d.add(3000, 100)
	d.finish()
	if more := s.Counters().Errors(KindTooLarge) - errs; errs == 0 || more > 2 {
		t.Errorf("%d sets refused at first, and %d later", errs, more)
	}
	d.check(fakeReader(f))
}

// TestLargerThanMax: a message that fits into no set is refused at once.
func TestLargerThanMax(t *testing.T) {
	for _, shape := range []Shape{ShapeFlow, ShapeBatch} {
		f := newFake(t, 1, topic, 2)
		c := fakeConfig(f)
		c.Shape, c.MaxMessageBytes = shape, 1000
		s, _ := open(t, c)
		eventually(t, "availability", s.Available)
		b := fillBatch(0, 3, false)
		b.Buf = append(b.Buf, make([]byte, 2000)...)
		b.Ends = append(b.Ends, uint32(len(b.Buf)))
		b.Buf = appendFlow(b.Buf, 4, false)
		b.Ends = append(b.Ends, uint32(len(b.Buf)))
		if !s.Submit(b) {
			t.Fatal("the batch is not taken")
		}
		done := <-s.Done()
		if !slices.Equal(done.Failed, []uint32{3}) || !errors.Is(done.Err, sink.ErrRefused) || done.Batch != b {
			t.Errorf("%s: failed %v: %v", shape, done.Failed, done.Err)
		}
		if s.Counters().Errors(KindTooLarge) != 1 || s.Counters().Flows() != 4 {
			t.Errorf("%s: %d errors, %d flows", shape, s.Counters().Errors(KindTooLarge), s.Counters().Flows())
		}
	}
}

// TestNoIDs: a cluster that gives no producer ids.
func TestNoIDs(t *testing.T) {
	f := newFake(t, 1, topic, 2)
	f.IDCode(31)
	s, log := open(t, fakeConfig(f))
	d := drive(t, s)
	d.add(100, 10)
	d.finish()
	d.check(fakeReader(f))
	if !strings.Contains(log.String(), "does not let us number") {
		t.Errorf("log:\n%s", log)
	}

	c := fakeConfig(f)
	c.Idempotent = IdempotentOn
	s, log = open(t, c)
	eventually(t, "the complaint", func() bool { return strings.Contains(log.String(), "kind=authorization") })
	if s.Available() {
		t.Error("available without numbers, which are wanted")
	}
}

func TestNoAcks(t *testing.T) {
	f := newFake(t, 1, topic, 2)
	c := fakeConfig(f)
	c.Acks = "0"
	s, _ := open(t, c)
	d := drive(t, s)
	d.add(1000, 100)
	d.finish()
	eventually(t, "the last message", func() bool { return len(f.All()) == 1000 })
	d.check(fakeReader(f))
}

// TestBackPressure: the sink holds no more than it may.
func TestBackPressure(t *testing.T) {
	f := newFake(t, 1, topic, 2)
	f.React(func(int32, int) kafkatest.Reaction { return kafkatest.Reaction{Delay: 5 * time.Millisecond} })
	c := fakeConfig(f)
	c.BufferBytes, c.MaxMessageBytes = 200_000, 10_000
	s, _ := open(t, c)
	d := drive(t, s)
	d.add(20_000, 100)
	most := int64(0)
	for len(d.queue) > 0 {
		d.pump()
		most = max(most, s.Counters().HeldBytes())
		d.receive(time.Millisecond)
	}
	if most > 200_000 || most < 100_000 {
		t.Errorf("held up to %d bytes", most)
	}
	d.finish()
	d.check(fakeReader(f))
}

// TestClose: everything comes back, whatever state it is in.
func TestClose(t *testing.T) {
	for _, compression := range []string{"none", "gzip"} {
		f := newFake(t, 1, topic, 2)
		f.React(func(_ int32, sets int) kafkatest.Reaction { return kafkatest.Reaction{Hang: sets > 3} })
		c := fakeConfig(f)
		c.Compression, c.MaxMessageBytes, c.RequestTimeout = compression, 10_000, time.Minute
		s, _ := open(t, c)
		eventually(t, "availability", s.Available)
		d := drive(t, s)
		d.add(2000, 10)
		d.pump()
		sent := len(d.out)
		time.Sleep(50 * time.Millisecond)
		start := time.Now()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took > c.RequestTimeout/2 {
			t.Errorf("close took %v", took)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if s.Submit(fillBatch(0, 1, false)) {
			t.Error("a batch was taken after the close")
		}
		closed := 0
		for range sent {
			select {
			case done := <-s.Done():
				if len(done.Failed) > 0 && !errors.Is(done.Err, sink.ErrClosed) {
					t.Errorf("came back with %v", done.Err)
				}
				closed += len(done.Failed)
			default:
				t.Fatal("not all batches have come back")
			}
		}
		if closed == 0 {
			t.Error("all were delivered")
		}
	}
}

func TestEmptyBatch(t *testing.T) {
	f := newFake(t, 1, topic, 2)
	s, _ := open(t, fakeConfig(f))
	eventually(t, "availability", s.Available)
	if b := fillBatch(0, 0, false); !s.Submit(b) {
		t.Error("an empty batch is not taken")
	} else if done := <-s.Done(); done.Batch != b || done.Failed != nil || done.Err != nil {
		t.Errorf("an empty batch came back as %+v", done)
	}
	if s.Name() != "kafka" {
		t.Error(s.Name())
	}
}

var _ sink.AsyncSink = (*Sink)(nil)
