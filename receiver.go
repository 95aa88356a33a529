package weir

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirflow/weir/internal/udp"
)

// ReceiverConfig configures a Receiver. Listen and Handle are required.
type ReceiverConfig struct {
	// Listen are the addresses, for example ":2055" or "192.0.2.1:6343". Any port accepts
	// all protocols.
	Listen []string
	// Sockets is the number of sockets for each address, each with a goroutine (SO_REUSEPORT,
	// Linux only), 1 to 256; 0 means 1. The kernel distributes the exporters over them.
	Sockets int
	// ReceiveBuffer is the size of the kernel's queue of each socket in bytes. 0 means the
	// system's default, which is small.
	ReceiveBuffer int
	// Handle receives the result of Decoder.Decode for each datagram with flows or an error.
	// The goroutines of the sockets call it concurrently. A socket does not receive while its
	// call of Handle runs.
	Handle func(source netip.AddrPort, received time.Time, flows []*Flow, err error)
	// SaveEvery is the interval of Decoder.Save; 0 means a second.
	SaveEvery time.Duration
	// Logger logs errors of sockets and of saving; nil disables it.
	Logger *slog.Logger
}

// A Receiver receives datagrams and decodes them with a Decoder. Call Start and Stop once
// each, from one goroutine. Addrs and Stats are safe for concurrent use after Start.
type Receiver struct {
	d       *Decoder
	cfg     ReceiverConfig
	sockets []*udp.Socket
	stop    atomic.Bool
	stopped chan struct{}
	wg      sync.WaitGroup

	datagrams atomic.Uint64
}

// NewReceiver returns a receiver that decodes with d. Start opens the sockets.
func NewReceiver(d *Decoder, cfg ReceiverConfig) (*Receiver, error) {
	if d == nil || cfg.Handle == nil {
		return nil, errors.New("make receiver: a decoder and a Handle function are needed")
	}
	if len(cfg.Listen) == 0 {
		return nil, errors.New("make receiver: no address to listen on")
	}
	if cfg.Sockets < 0 || cfg.Sockets > 256 {
		return nil, fmt.Errorf("make receiver: %d sockets a port, 1 to 256 are possible", cfg.Sockets)
	}
	if cfg.Sockets == 0 {
		cfg.Sockets = 1
	}
	if cfg.SaveEvery <= 0 {
		cfg.SaveEvery = time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Receiver{d: d, cfg: cfg, stopped: make(chan struct{})}, nil
}

// Start opens the sockets and starts to receive. After an error no socket is open. When ctx
// is done, the receiver stops to receive; the program still has to call Stop.
func (r *Receiver) Start(ctx context.Context) error {
	for _, address := range r.cfg.Listen {
		if err := r.listen(address); err != nil {
			for _, s := range r.sockets {
				s.Close()
			}
			r.sockets = nil
			return fmt.Errorf("listen on %q: %w", address, err)
		}
	}
	for _, s := range r.sockets {
		r.wg.Go(func() { r.receive(s) })
	}
	r.wg.Go(r.save)
	context.AfterFunc(ctx, r.halt)
	return nil
}

// listen opens the sockets of an address.
func (r *Receiver) listen(address string) error {
	a, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return err
	}
	at := a.AddrPort()
	if a.IP == nil {
		at = netip.AddrPortFrom(netip.Addr{}, uint16(a.Port))
	}
	for range r.cfg.Sockets {
		s, err := udp.Listen(udp.Config{
			Addr: netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), ReusePort: r.cfg.Sockets > 1,
			ReceiveBuffer: r.cfg.ReceiveBuffer, Logger: r.cfg.Logger,
		})
		if err != nil {
			return err
		}
		r.sockets = append(r.sockets, s)
		at = netip.AddrPortFrom(at.Addr(), s.LocalAddr().Port()) // of port 0
	}
	return nil
}

// Addrs returns the addresses that the sockets are bound to.
func (r *Receiver) Addrs() []netip.AddrPort {
	var list []netip.AddrPort
	for _, s := range r.sockets {
		list = append(list, s.LocalAddr())
	}
	return list
}

// receive receives from a socket until the receiver stops and the queue is empty.
func (r *Receiver) receive(s *udp.Socket) {
	for {
		wait := time.Second // halt ends it early
		stopping := r.stop.Load()
		if stopping {
			wait = 0
		}
		n, err := s.Receive(wait)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			r.cfg.Logger.Error("receiving failed", "address", s.LocalAddr(), "error", err)
			time.Sleep(10 * time.Millisecond) // no busy loop if the fault stays
		}
		for i := range n {
			r.datagram(s.Datagram(i))
		}
		if n == 0 {
			s.PollDrops()
			if stopping {
				return
			}
		}
	}
}

func (r *Receiver) datagram(dg udp.Datagram) {
	r.datagrams.Add(1)
	received := time.Unix(0, dg.ReceivedNs)
	flows, err := r.d.Decode(dg.Src, received, dg.Payload)
	if len(flows) > 0 || err != nil {
		r.cfg.Handle(dg.Src, received, flows, err)
	}
}

// save calls Decoder.Save until the receiver stops.
func (r *Receiver) save() {
	tick := time.NewTicker(r.cfg.SaveEvery)
	defer tick.Stop()
	for failing := false; ; {
		select {
		case <-r.stopped:
			return
		case <-tick.C:
			err := r.d.Save()
			if err != nil && !failing {
				r.cfg.Logger.Error("saving templates failed, will be retried", "error", err)
			}
			failing = err != nil
		}
	}
}

// halt makes the sockets refuse new datagrams and wakes their goroutines, which receive what
// is queued and return.
func (r *Receiver) halt() {
	if r.stop.Swap(true) {
		return
	}
	close(r.stopped)
	for _, s := range r.sockets {
		if err := s.Refuse(); err != nil {
			r.cfg.Logger.Error("refusing datagrams failed", "address", s.LocalAddr(), "error", err)
		}
		s.Wake()
	}
}

// Stop passes all queued datagrams to Handle, closes the sockets and saves the decoder's
// state. If ctx is done first, the error wraps that of ctx, and queued datagrams are lost.
// Stop does not close the decoder.
func (r *Receiver) Stop(ctx context.Context) error {
	r.halt()
	done := make(chan struct{})
	go func() {
		r.wg.Wait()
		close(done)
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = fmt.Errorf("stop receiver: %w", ctx.Err())
	}
	for _, s := range r.sockets {
		err = errors.Join(err, s.Close())
	}
	return errors.Join(err, r.d.Save())
}

// ReceiverStats are totals since Start.
type ReceiverStats struct {
	// Datagrams is the number of received datagrams.
	Datagrams uint64
	// Dropped is the number of datagrams that the kernel dropped because a queue was full.
	Dropped uint64
}

// Stats returns the totals. Dropped can be a second old.
func (r *Receiver) Stats() ReceiverStats {
	s := ReceiverStats{Datagrams: r.datagrams.Load()}
	for _, socket := range r.sockets {
		s.Dropped += socket.KernelDrops()
	}
	return s
}
