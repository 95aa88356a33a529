//go:build race

package spool

// everyByte is how far apart the bytes are that are damaged in turn: the race
// detector finds nothing there that it does not find in a few.
const everyByte = 11
