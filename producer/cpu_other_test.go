//go:build !linux

package producer_test

import (
	"testing"
	"time"
)

var processStart = time.Now()

// cpuTime stands in for the thread's CPU time by the wall clock.
func cpuTime(testing.TB) time.Duration { return time.Since(processStart) }
