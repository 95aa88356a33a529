package config

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/weirflow/weir/internal/option"
)

// resolveTimeout bounds the look-up of all host names of the listen
// addresses together.
const resolveTimeout = 5 * time.Second

// lookup is the shape of (*net.Resolver).LookupNetIP.
type lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)

// resolveListens looks each host name up once and puts its address into Addr:
// the first IPv4 address where there is one, else the first of all, as the net
// package does when it is given a name to listen on. It returns the addresses
// that are wrong, and a note for each name that had several.
func resolveListens(ctx context.Context, ls []Listen, find lookup) (notes []string, faults option.Problems) {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	for i := range ls {
		l := &ls[i]
		if l.Addr.Addr().IsValid() {
			continue
		}
		addrs, err := find(ctx, "ip", l.Host)
		if err == nil && len(addrs) == 0 {
			err = &net.DNSError{Err: "no addresses", Name: l.Host, IsNotFound: true}
		}
		if err != nil {
			faults = append(faults, &option.Problem{
				Part: option.Show(l.RawURI), Index: i,
				Text:    fmt.Sprintf("cannot resolve host %s: %v", option.Show(l.Host), err),
				Allowed: allowedHost,
			})
			continue
		}
		best := addrs[0].Unmap()
		for _, a := range addrs {
			if a = a.Unmap(); a.Is4() {
				best = a
				break
			}
		}
		l.Addr = netip.AddrPortFrom(best, l.Addr.Port())
		if len(addrs) > 1 {
			notes = append(notes, fmt.Sprintf("%s in -listen has %d addresses; %s is used", l.Host, len(addrs), best))
		}
	}
	return notes, faults
}
