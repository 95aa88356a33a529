package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/handover"
	"github.com/weirflow/weir/internal/udp"
)

const (
	// askPatience is how long a new process waits for the descriptors of the running
	// one: somewhat longer than a stop may take. finishPatience is how long it waits
	// then for that one to have written all of its output.
	askPatience    = 6 * time.Second
	finishPatience = 6 * time.Second
	// releasePatience is how long a port may be taken by a socket that another process
	// is about to close.
	releasePatience = 2 * time.Second
)

const (
	socketPrefix = handover.Prefix + "udp#"
	linkPrefix   = handover.Prefix + "xdp#"
)

// keeper has the descriptors that outlive a process: those that this one took over, and
// those that it leaves. Its methods may be called by any goroutine.
type keeper struct {
	log    *slog.Logger
	path   string // of the Unix socket; "" for none
	store  *handover.Store
	server *handover.Server
	peer   *handover.Peer // the process that handed over, until it has finished
	took   bool           // a running process handed over
	shared bool           // others may hold sockets for a moment that this process let go of

	mu        sync.Mutex
	inherited []handover.Descriptor // that nobody took yet
	stored    []string              // names of what is in the store
	passed    []string              // names of what a socket unit holds
	kept      []handover.Descriptor // duplicates, for a successor that asks
	successor *handover.Request     // nil before it asked
	full      bool                  // and it was said
}

// newKeeper takes over what the service manager passed, or the running process hands over.
func newKeeper(cfg *config.Config, log *slog.Logger) *keeper {
	k := &keeper{log: log, path: cfg.Handover, store: handover.OpenStore(), inherited: handover.Inherited()}
	k.shared = len(k.inherited) > 0
	if k.path != "" {
		k.ask()
	}
	k.dropTwins()
	return k
}

// ask takes over from the process that listens at the path, if there is one.
func (k *keeper) ask() {
	ctx, cancel := context.WithTimeout(context.Background(), askPatience)
	defer cancel()
	list, peer, err := handover.Ask(ctx, k.path)
	switch {
	case errors.Is(err, handover.ErrNobody):
		k.log.Info("no process to take over from", "handover", k.path)
	case err != nil:
		k.log.Warn("nothing taken over: sockets are opened again", "handover", k.path, "error", err)
	default:
		k.log.Info("taking over", "handover", k.path, "process", peer.PID(), "descriptors", len(list))
		k.peer, k.took, k.shared = peer, true, true
		k.inherited = append(k.inherited, list...)
	}
}

// dropTwins closes descriptors of sockets that another descriptor before is of too: a
// socket unit, the store and the process before may have the same one.
func (k *keeper) dropTwins() {
	seen := map[uint64]bool{}
	k.inherited = slices.DeleteFunc(k.inherited, func(d handover.Descriptor) bool {
		cookie := udp.CookieOf(d.Fd)
		if cookie == 0 || !seen[cookie] {
			seen[cookie] = true
			return false
		}
		if d.Stored {
			k.remove(d.Name)
		}
		handover.Close(d.Fd)
		return true
	})
}

// serve waits for a successor.
func (k *keeper) serve() error {
	if k.path == "" {
		return nil
	}
	server, err := handover.Listen(k.path, k.log)
	if err != nil {
		return fmt.Errorf("open -handover: %w", err)
	}
	k.server = server
	return nil
}

// requests returns where a successor is announced.
func (k *keeper) requests() <-chan *handover.Request {
	if k.server == nil {
		return nil
	}
	return k.server.Requests()
}

// finished waits until the process that handed over has written all of its output.
func (k *keeper) finished() {
	if k.peer == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), finishPatience)
	defer cancel()
	if err := k.peer.Wait(ctx); err != nil {
		k.log.Warn("the process that handed over has not finished", "error", err)
	}
	k.peer = nil
}

// open returns a socket that was left and fits, or a new one. took tells which.
func (k *keeper) open(cfg udp.Config) (s *udp.Socket, took bool, err error) {
	if cfg.Addr.Port() != 0 {
		if s := k.adopt(cfg); s != nil {
			return s, true, nil
		}
	}
	for deadline := time.Now().Add(releasePatience); ; time.Sleep(5 * time.Millisecond) {
		s, err = udp.Listen(cfg)
		if !errors.Is(err, syscall.EADDRINUSE) || !k.shared || time.Now().After(deadline) {
			return s, false, err
		}
	}
}

// adopt returns the first socket that fits, nil if there is none.
func (k *keeper) adopt(cfg udp.Config) *udp.Socket {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, d := range k.inherited {
		s, err := udp.Adopt(d.Fd, cfg)
		if err != nil {
			k.log.Debug("descriptor not adopted", "name", d.Name, "error", err)
			continue
		}
		k.inherited = slices.Delete(k.inherited, i, i+1)
		switch {
		case !d.Own():
			k.passed = append(k.passed, socketName(s))
		case d.Stored:
			k.stored = append(k.stored, d.Name)
		}
		return s
	}
	return nil
}

// socketName is the name of a socket for a successor. It never changes.
func socketName(s *udp.Socket) string { return socketPrefix + strconv.FormatUint(s.Cookie(), 16) }

// keep has a descriptor outlive this process, where it can.
func (k *keeper) keep(name string, fd int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	has := slices.ContainsFunc(k.kept, func(d handover.Descriptor) bool { return d.Name == name })
	if k.path != "" && !has {
		if own, err := handover.Duplicate(fd); err != nil {
			k.log.Warn("descriptor cannot be handed over", "name", name, "error", err)
		} else {
			k.kept = append(k.kept, handover.Descriptor{Name: name, Fd: own})
		}
	}
	if k.store == nil || slices.Contains(k.passed, name) || slices.Contains(k.stored, name) {
		return
	}
	if len(k.stored) >= k.store.Size() {
		if !k.full {
			k.log.Warn(fmt.Sprintf("the service's file descriptor store holds %d descriptors, and weir has more: a restart loses what arrives for the others; raise FileDescriptorStoreMax= (and FDSTORE= before systemd 254)",
				k.store.Size()))
		}
		k.full = true
		return
	}
	if err := k.store.Put(name, fd); err != nil {
		k.log.Warn("descriptor not kept over a restart", "error", err)
		return
	}
	k.stored = append(k.stored, name)
}

// drop takes back what keep did.
func (k *keeper) drop(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept = slices.DeleteFunc(k.kept, func(d handover.Descriptor) bool {
		if d.Name == name {
			handover.Close(d.Fd)
		}
		return d.Name == name
	})
	if i := slices.Index(k.stored, name); i >= 0 {
		k.stored = slices.Delete(k.stored, i, i+1)
		k.remove(name)
	}
}

func (k *keeper) remove(name string) {
	if k.store == nil {
		return
	}
	if err := k.store.Remove(name); err != nil {
		k.log.Warn("descriptor stays in the service's store", "error", err)
	}
}

// outlives reports whether a successor gets the descriptor of that name when this process
// ends now.
func (k *keeper) outlives(name string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.successor != nil || slices.Contains(k.stored, name) || slices.Contains(k.passed, name)
}

// succeed takes note of a successor that asked: what is kept is for it.
func (k *keeper) succeed(r *handover.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.successor = r
}

// succeeded reports whether a successor asked.
func (k *keeper) succeeded() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.successor != nil
}

// report logs how many sockets are left to a successor.
func (k *keeper) report(sockets []*udp.Socket) {
	kept := 0
	for _, s := range sockets {
		if s.Kept() {
			kept++
		}
	}
	if kept > 0 {
		k.log.Info("sockets kept: what arrives waits for the next weir", "sockets", kept, "of", len(sockets))
	}
}

// handOver sends everything to the successor that asked, if one did. It reports whether
// there is nothing, or the successor has it.
func (k *keeper) handOver() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.successor == nil {
		return true
	}
	began := time.Now()
	if err := k.successor.Send(k.kept); err != nil {
		k.log.Error("nothing handed over: what waits in sockets is dropped", "error", err)
		return false
	}
	k.log.Info("handed over", "process", k.successor.PID(), "descriptors", len(k.kept), "took", time.Since(began).Round(time.Microsecond))
	return true
}

// close lets go of everything. What outlives the process does so from now on.
func (k *keeper) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.server != nil {
		k.server.Close()
	}
	if k.successor != nil {
		k.successor.Close()
	}
	for _, d := range append(k.kept, k.inherited...) {
		handover.Close(d.Fd)
	}
	k.kept, k.inherited = nil, nil
}

// unfit returns the sockets that a predecessor left and that none of the addresses asks
// for. They have left the store, and are the caller's. What a socket unit passed and no
// address asks for is closed.
func (k *keeper) unfit(wanted []udp.Config) []*udp.Socket {
	k.mu.Lock()
	defer k.mu.Unlock()
	var list []*udp.Socket
	k.inherited = slices.DeleteFunc(k.inherited, func(d handover.Descriptor) bool {
		if isLink(d.Name) {
			return false
		}
		for i, cfg := range wanted {
			if udp.Fits(d.Fd, cfg) == nil {
				wanted = slices.Delete(wanted, i, i+1)
				return false
			}
		}
		if !d.Own() {
			k.log.Warn("a socket unit passes a descriptor that no -listen asks for: what is sent to it is lost", "name", d.Name)
			handover.Close(d.Fd)
			return true
		}
		if d.Stored {
			k.remove(d.Name)
		}
		s, err := udp.AdoptAny(d.Fd)
		if err != nil {
			k.log.Warn("descriptor of an earlier weir closed", "name", d.Name, "error", err)
			handover.Close(d.Fd)
			return true
		}
		list = append(list, s)
		return true
	})
	return list
}
