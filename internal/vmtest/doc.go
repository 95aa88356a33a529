// Package vmtest describes the tests in virtual machines: what weir's capture path
// does on other kernels and with other network cards than those of the machine
// that builds it.
//
// Program matrix runs on the host. For each kernel and card it starts QEMU with a
// small root in which program guest is the first process. The guest has two
// interfaces on one bridge: the card under test, which weir captures, and a sender
// in a network namespace of its own. It does the steps in order and reports each
// as a line of JSON over the second serial port. The matrix reads the lines, and
// counts every step that was not reported as failed.
//
// [Report] is one line, [Scenario] and [Packages] are the steps.
package vmtest
