package main

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestParse(t *testing.T) {
	for _, test := range []struct{ args, says string }{
		{"", ""},
		{"-load 1000,2000 -cpus 1,0 -rounds 9", ""},
		{"-load=", ""},
		{"-rounds 4", "at least 5"},
		{"-load-rounds 4", "-load-rounds 4"},
		{"-cpus 1,1", "two numbers that differ"},
		{"-cpus x", "two numbers that differ"},
		{"-load 7", "-load 7"},
		{"-peak-rounds -1", "-peak-rounds -1"},
		{"-slice 0s", "want more than 0"},
		{"more", `unexpected argument "more"`},
		{"-nonsense", "-nonsense"},
	} {
		_, err := parse(strings.Fields(test.args))
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%q: %v", test.args, err)
		}
	}
}

// The generator takes k off the checksum for source k: the header adds up for all.
func TestFrame(t *testing.T) {
	c := &cable{sendAddr: [4]byte{10, 99, 3, 1}, recvAddr: [4]byte{10, 99, 3, 2}}
	b := frameFor(c)
	ip := b[etherHeader : etherHeader+ipHeader]
	check := binary.BigEndian.Uint16(ip[10:])
	for k := range uint16(sources) {
		ip[15] = firstSource + byte(k)
		binary.BigEndian.PutUint16(ip[10:], check-k)
		if got := headerSum(ip); got != 0 {
			t.Errorf("source %d: the header adds up to %#x", k, ^got)
		}
	}
}

// TestWays: every way to receive gets all that is sent, from every source, and its
// time is measured.
func TestWays(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("two CPUs are needed")
	}
	send, err := newSide()
	if errors.Is(err, unix.EPERM) {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v: with CI=true this test must run", err)
		}
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	recv, err := newSide()
	if err != nil {
		t.Fatal(err)
	}
	list := ways(pause{latency: time.Millisecond})
	o := options{sendCPU: 0, recvCPU: 1}
	err = send.do(func() error {
		for i, w := range list {
			if err := w.setUp(i, send, recv); err != nil {
				return err
			}
		}
		if err := threaded(list, recv, o.recvCPU); err != nil {
			return err
		}
		if err := pin(0, o.sendCPU, 0); err != nil {
			return err
		}
		for _, w := range list {
			u, err := w.use(o, flow{group: group, window: threadWindow}, 50*time.Millisecond, idling{})
			if err != nil {
				return err
			}
			if u.sent == 0 || u.lost != 0 || u.kernel <= 0 || (u.user <= 0) {
				t.Errorf("%s: %+v", w.name, u)
			}
		}
		// In softirqs, and at a rate.
		w := list[len(list)-1]
		if _, err := w.cable.threaded(recv, false); err != nil {
			return err
		}
		one := w.receiver.(*batched)
		seen := map[netip.Addr]int{}
		done := make(chan error, 1)
		go func() {
			for last := time.Now(); time.Since(last) < time.Second; {
				n, err := one.sock.TryReceive()
				if err != nil {
					done <- err
					return
				}
				if n == 0 {
					time.Sleep(time.Millisecond)
					continue
				}
				for i := range n {
					seen[one.sock.Datagram(i).Src.Addr().Unmap()]++
				}
				last = time.Now()
			}
			done <- nil
		}()
		out, err := w.generator.send(flow{rate: 10_000, group: 1}, 100*time.Millisecond)
		if err := errors.Join(err, <-done); err != nil {
			return err
		}
		total := uint64(0)
		for _, n := range seen {
			total += uint64(n)
		}
		if out.rate <= 0 || out.rate > 10_500 || total != out.sent || len(seen) != sources {
			t.Errorf("%d of %d received from %d sources, at %.0f a second", total, out.sent, len(seen), out.rate)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
