package app

import (
	"slices"
	"strconv"
	"strings"

	"github.com/weirflow/weir/internal/handover"
)

// links keeps the attachments of XDP programs over a restart: it is a
// collector.Links.
type links struct{ k *keeper }

func isLink(name string) bool { return strings.HasPrefix(name, linkPrefix) }

func linkName(index int) string { return linkPrefix + strconv.Itoa(index) }

// Take returns the descriptor of the link that a predecessor left on an interface, -1 if
// there is none.
func (l links) Take(index int) int {
	l.k.mu.Lock()
	defer l.k.mu.Unlock()
	name := linkName(index)
	for i, d := range l.k.inherited {
		if d.Name == name {
			l.k.inherited = slices.Delete(l.k.inherited, i, i+1)
			if d.Stored {
				l.k.stored = append(l.k.stored, name)
			}
			return d.Fd
		}
	}
	return -1
}

// Keep has a link outlive this process.
func (l links) Keep(index, fd int) { l.k.keep(linkName(index), fd) }

// Drop takes that back.
func (l links) Drop(index int) { l.k.drop(linkName(index)) }

// Outlives reports whether the link outlives this process if it ends now.
func (l links) Outlives(index int) bool { return l.k.outlives(linkName(index)) }

// dropLinks ends the attachments that nobody took.
func (k *keeper) dropLinks() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.inherited = slices.DeleteFunc(k.inherited, func(d handover.Descriptor) bool {
		if !isLink(d.Name) {
			return false
		}
		k.log.Info("program of an earlier weir detached: its interface is not captured any more", "name", d.Name)
		k.remove(d.Name)
		handover.Close(d.Fd)
		return true
	})
}
