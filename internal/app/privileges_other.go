//go:build !linux

package app

var captureCaps, outputCaps []int

// dropPrivileges does nothing: there are no capabilities on this system.
func dropPrivileges([]int) (string, error) { return "", nil }
