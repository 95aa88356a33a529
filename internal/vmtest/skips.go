package vmtest

import (
	"fmt"
	"slices"
	"strings"
)

// Skip is a test of a package in [Packages], or a part of one (TestX/part), that a guest
// may skip.
type Skip struct {
	Package, Test string
	// Kernels are the beginnings of the releases on which it is skipped; none means all.
	Kernels []string
	Why     string
}

const oneBuffer = "has an MTU whose frames take several buffers, which AF_XDP has no sockets for before Linux 6.6; TestOneBuffer is for that"

// Skips lists every test that may be skipped in a guest. Any other skip is a failure.
var Skips = []Skip{
	{Package: "bpf", Test: "TestLinearPart", Kernels: []string{"6.17."}, Why: "BPF_PROG_TEST_RUN makes no frame with a shorter linear part there (EINVAL); later kernels, and later releases of 6.1 and 6.12, do"},
	{Package: "xdp", Test: "TestReleasedFramesArePoisoned", Why: "needs the build tag weirpoison, with which make test runs it"},
	{Package: "xdp", Test: "TestHoldUntilKilled", Why: "is the process that TestKilled starts and kills"},
	{Package: "xdp", Test: "TestReceiveAllocs", Kernels: []string{"6.1."}, Why: oneBuffer},
	{Package: "xdp", Test: "TestJumboBursts", Kernels: []string{"6.1."}, Why: oneBuffer},
	{Package: "xdp", Test: "TestSizes/3499/native", Kernels: []string{"6.1."}, Why: oneBuffer},
	{Package: "xdp", Test: "TestSizes/3499/generic", Kernels: []string{"6.1."}, Why: oneBuffer},
	{Package: "xdp", Test: "TestSizes/3900/native", Kernels: []string{"6.1."}, Why: oneBuffer},
	{Package: "xdp", Test: "TestSizes/3900/generic", Kernels: []string{"6.1."}, Why: oneBuffer},
	{Package: "xdp", Test: "TestSizes/9000/native", Kernels: []string{"6.1."}, Why: oneBuffer},
	{Package: "xdp", Test: "TestSizes/9000/generic", Kernels: []string{"6.1."}, Why: oneBuffer},
}

// CheckSkips compares the tests of a package that ran and that were skipped on a kernel
// with the list. It returns the skips that are not listed, and what the list says
// that is not so: a test that ran, or that there is not.
func CheckSkips(list []Skip, name, release string, ran, skipped []string) (unlisted, outdated []string) {
	expected := map[string]bool{}
	for _, s := range list {
		here := len(s.Kernels) == 0 || slices.ContainsFunc(s.Kernels, func(k string) bool { return strings.HasPrefix(release, k) })
		if s.Package != name || !here {
			continue
		}
		expected[s.Test] = true
		switch {
		case slices.Contains(ran, s.Test):
			outdated = append(outdated, fmt.Sprintf("%s is listed as skipped, and ran", s.Test))
		case !slices.Contains(skipped, s.Test):
			outdated = append(outdated, fmt.Sprintf("%s is listed as skipped, and there is no such test", s.Test))
		}
	}
	for _, test := range skipped {
		if !expected[test] {
			unlisted = append(unlisted, test)
		}
	}
	return unlisted, outdated
}
