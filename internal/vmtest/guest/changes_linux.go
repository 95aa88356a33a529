package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
)

// downUp sets the link down, and up again after weir has had the time to see it.
func (l *lab) downUp() (string, error) {
	if err := l.start(); err != nil {
		return "", err
	}
	link, err := netlink.LinkByName(nic)
	if err != nil {
		return "", err
	}
	if err := netlink.LinkSetDown(link); err != nil {
		return "", fmt.Errorf("set %s down: %w", nic, err)
	}
	time.Sleep(2 * time.Second)
	if err := netlink.LinkSetUp(link); err != nil {
		return "", fmt.Errorf("set %s up: %w", nic, err)
	}
	return l.recover()
}

// mtu makes the MTU smaller and sets it back, each time with frames that fit.
func (l *lab) mtu() (string, error) {
	if err := l.start(); err != nil {
		return "", err
	}
	if err := setMTU(1400); err != nil {
		return "", l.still(err)
	}
	// Full-size frames would not fit: small ones, until weir has seen it.
	if _, err := l.deliverUnder(); err != nil {
		return "", err
	}
	if err := setMTU(1500); err != nil {
		return "", fmt.Errorf("back again: %v", err) // no refusal: it was so before
	}
	return l.recover()
}

// deliverUnder waits until frames below an MTU of 1400 all arrive.
func (l *lab) deliverUnder() (a arrived, err error) {
	for began := time.Now(); time.Since(began) < recovery; {
		var batch [][][]byte
		for range 8 {
			batch = append(batch, [][]byte{l.frames.datagram(recordsFull-4, 0)})
		}
		if a, _, err = l.window(batch, quietLeast); err != nil || a.all() {
			return a, err
		}
	}
	return a, fmt.Errorf("at an MTU of 1400 frames are lost: %v", a)
}

// still says that weir receives on after a refusal, or why not.
func (l *lab) still(refused error) error {
	text, err := l.recover()
	if err != nil {
		return fmt.Errorf("after %w: %v", err, refused)
	}
	return refusal{fmt.Errorf("%w; then %s", refused, text)}
}

// ethtool changes a setting; what it refuses is the kernel's or the driver's.
func ethtool(args ...string) error {
	if out, err := command("ethtool", args...); err != nil {
		return refusal{fmt.Errorf("%s: %s", strings.Join(args, " "), oneLine(out))}
	}
	return nil
}

// channels asks for one queue, and for as many as there were.
func (l *lab) channels() (string, error) {
	if err := l.start(); err != nil {
		return "", err
	}
	_, was, err := setting("-l", "Combined:")
	if err != nil {
		return "", l.still(refusal{err})
	}
	if was < 2 {
		return "", l.still(refusal{fmt.Errorf("the card has %d queue", was)})
	}
	if err := ethtool("-L", nic, "combined", "1"); err != nil {
		return "", l.still(err)
	}
	one, err := l.recover()
	if err != nil {
		return "", fmt.Errorf("with one queue: %w", err)
	}
	if err := ethtool("-L", nic, "combined", strconv.Itoa(was)); err != nil {
		return "", fmt.Errorf("back again: %v", err)
	}
	both, err := l.recover()
	if err != nil {
		return "", fmt.Errorf("with %d queues again: %w", was, err)
	}
	return fmt.Sprintf("1: %s; %d: %s", one, was, both), nil
}

// rings sets another size of the receive ring, and the one before.
func (l *lab) rings() (string, error) {
	if err := l.start(); err != nil {
		return "", err
	}
	most, was, err := setting("-g", "RX:")
	if err != nil {
		return "", l.still(refusal{err})
	}
	other := was * 2
	if other > most {
		other = was / 2
	}
	if err := ethtool("-G", nic, "rx", strconv.Itoa(other)); err != nil {
		return "", l.still(err)
	}
	changed, err := l.recover()
	if err != nil {
		return "", fmt.Errorf("with rx %d: %w", other, err)
	}
	if err := ethtool("-G", nic, "rx", strconv.Itoa(was)); err != nil {
		return "", fmt.Errorf("back again: %v", err)
	}
	back, err := l.recover()
	if err != nil {
		return "", fmt.Errorf("with rx %d again: %w", was, err)
	}
	return fmt.Sprintf("%d: %s; %d: %s", other, changed, was, back), nil
}

// setting reads a number that ethtool shows twice: the most, and as it is.
func setting(flag, name string) (most, now int, err error) {
	out, err := command("ethtool", flag, nic)
	if err != nil {
		return 0, 0, fmt.Errorf("ethtool %s: %s", flag, oneLine(out))
	}
	var found []int
	for line := range strings.Lines(out) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name); ok {
			if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil {
				found = append(found, n)
			}
		}
	}
	if len(found) != 2 {
		return 0, 0, errors.New("ethtool " + flag + ": no " + name + " " + oneLine(out))
	}
	return found[0], found[1], nil
}
