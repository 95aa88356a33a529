// Package testnet makes networks for tests: hosts that are network namespaces of
// their own, joined by veth pairs, all made from Go and gone when the test ends.
// It is for tests on Linux; elsewhere the package is empty.
//
// The journey of a test: [New] asks whether this process may make namespaces and
// skips the test if not, with a word on what is missing; where the environment
// variable CI is "true" it fails instead, so that no such test is left out
// unseen. [Net.AddHost] makes a namespace with its loopback interface up. [Veth]
// joins two hosts by a pair of interfaces with addresses that can be used at
// once. [Host.Do] runs a function and [Host.Command] a program on a host.
//
// A namespace belongs to a thread. Do therefore runs its function on a thread of
// its own, which enters the namespace and is thrown away afterwards, never to
// carry it into other goroutines. A socket made by the function belongs to the
// host for good and may be used from anywhere; a goroutine started by the
// function does not run on the host.
//
// A [Net] and its hosts may be used by several goroutines at once, but made only
// by the test's.
package testnet
