package vmtest

import (
	"slices"
	"testing"
)

func TestCheckSkips(t *testing.T) {
	list := []Skip{
		{Package: "xdp", Test: "TestAlways"},
		{Package: "xdp", Test: "TestOld", Kernels: []string{"6.1."}},
		{Package: "bpf", Test: "TestOther"},
	}
	for _, c := range []struct {
		name, release      string
		ran, skipped       []string
		unlisted, outdated []string
	}{
		{"as listed", "6.1.0-57-amd64", []string{"TestA"}, []string{"TestAlways", "TestOld"}, nil, nil},
		{"only on another kernel", "6.12.1", []string{"TestOld"}, []string{"TestAlways"}, nil, nil},
		{"a beginning that is not a version", "6.12.1", nil, []string{"TestAlways", "TestOld"}, []string{"TestOld"}, nil},
		{"of another package", "6.12.1", nil, []string{"TestAlways", "TestOther"}, []string{"TestOther"}, nil},
		{"a part of a test", "6.1.0", nil, []string{"TestAlways", "TestOld", "TestA/one"}, []string{"TestA/one"}, nil},
		{"it runs again", "6.1.0", []string{"TestOld"}, []string{"TestAlways"}, nil, []string{"TestOld is listed as skipped, and ran"}},
		{"it is gone", "6.12.1", []string{"TestA"}, nil, nil, []string{"TestAlways is listed as skipped, and there is no such test"}},
	} {
		unlisted, outdated := CheckSkips(list, "xdp", c.release, c.ran, c.skipped)
		if !slices.Equal(unlisted, c.unlisted) || !slices.Equal(outdated, c.outdated) {
			t.Errorf("%s: unlisted %q, outdated %q; want %q, %q", c.name, unlisted, outdated, c.unlisted, c.outdated)
		}
	}
}

// Every entry names a package that runs in the guest, and says why.
func TestSkips(t *testing.T) {
	for _, s := range Skips {
		if !slices.Contains(Packages, s.Package) || s.Test == "" || s.Why == "" {
			t.Errorf("%+v: want a package of %q, a test and a reason", s, Packages)
		}
	}
}
