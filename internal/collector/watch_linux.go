package collector

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// eagerMost is how often in a row a change of an interface may cut the wait for
	// the next attempt short. There are drivers that take the link down and up
	// when a program is attached, and fail then: without a bound that would go on
	// for ever.
	eagerMost = 3
	// eagerPause is the least time between two attempts.
	eagerPause = 500 * time.Millisecond
	// watchAgain is how long to wait before the kernel is asked again to tell of
	// changes.
	watchAgain = 5 * time.Second
)

// linkState is what an interface must have changed in to be worth a look.
type linkState struct {
	index, mtu, queues int
	up                 bool
}

func stateOf(l netlink.Link) linkState {
	a := l.Attrs()
	return linkState{
		index:  a.Index,
		mtu:    a.MTU,
		queues: a.NumRxQueues,
		up:     a.Flags&net.FlagUp != 0 && a.RawFlags&unix.IFF_RUNNING != 0,
	}
}

// linkWatch reports changes of interfaces.
type linkWatch struct {
	log   *slog.Logger
	seen  map[string]linkState // by name; only run uses it
	pokes map[string]chan struct{}
	first chan netlink.LinkUpdate // made in the namespace of who starts the captures
}

// newLinkWatch subscribes to changes in the network namespace of the calling thread.
// Without that the captures are looked after all the same, but later.
func newLinkWatch(ctx context.Context, log *slog.Logger, names []string) *linkWatch {
	w := &linkWatch{log: log, seen: map[string]linkState{}, pokes: map[string]chan struct{}{}}
	for _, name := range names {
		w.pokes[name] = make(chan struct{}, 1)
	}
	w.first = w.subscribe(ctx)
	return w
}

// subscribe returns a channel that is closed when something may have been missed.
func (w *linkWatch) subscribe(ctx context.Context) chan netlink.LinkUpdate {
	updates := make(chan netlink.LinkUpdate, 64)
	err := netlink.LinkSubscribeWithOptions(updates, ctx.Done(), netlink.LinkSubscribeOptions{
		ErrorCallback: func(err error) {
			if ctx.Err() == nil {
				w.log.Debug("changes of network interfaces were missed", "error", err)
			}
		},
	})
	if err != nil {
		w.log.Warn("changes of network interfaces are noticed late", "error", err)
		return nil
	}
	return updates
}

// run passes changes on until ctx is done.
func (w *linkWatch) run(ctx context.Context) {
	updates := w.first
	for ctx.Err() == nil {
		for updates != nil {
			u, ok := <-updates
			if !ok {
				break
			}
			w.note(u)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(watchAgain):
		}
		updates = w.subscribe(ctx)
		for _, poke := range w.pokes { // what changed meanwhile is not known
			tell(poke)
		}
	}
}

// note takes one change.
func (w *linkWatch) note(u netlink.LinkUpdate) {
	name := u.Attrs().Name
	poke, ours := w.pokes[name]
	if !ours {
		return
	}
	now := stateOf(u.Link)
	if u.Header.Type == unix.RTM_DELLINK {
		now = linkState{}
	}
	if before, known := w.seen[name]; !known || now != before {
		w.seen[name] = now
		tell(poke)
	}
}

func tell(poke chan struct{}) {
	select {
	case poke <- struct{}{}:
	default: // it is told already
	}
}
