//go:build !unix

package producer_test

import "testing"

// guardedRoom returns n bytes; there is no guard behind them here.
func guardedRoom(_ testing.TB, n int) []byte { return make([]byte, n) }
