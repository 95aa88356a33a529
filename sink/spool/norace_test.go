//go:build !race

package spool

// everyByte is how far apart the bytes are that are damaged in turn.
const everyByte = 1
