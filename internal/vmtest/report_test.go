package vmtest

import (
	"strings"
	"testing"
)

// TestRead: whatever the guest leaves out or says wrongly is a failure.
func TestRead(t *testing.T) {
	steps := []string{"a", StepRings}
	for _, c := range []struct {
		name, lines string
		a, b        Result
		ended       bool
	}{
		{"all", `{"step":"a","result":"ok","text":"native"}` + "\n" + `{"step":"ethtool -G","result":"refused","text":"EINVAL"}` + "\n{}\n", OK, Refused, true},
		{"nothing", "", Failed, Failed, false},
		{"no end", `{"step":"a","result":"ok","text":"x"}` + "\n" + `{"step":"ethtool -G","result":"ok","text":"x"}` + "\n", OK, OK, false},
		{"one missing", `{"step":"a","result":"ok","text":"x"}` + "\n{}\n", OK, Failed, true},
		{"twice", `{"step":"a","result":"ok","text":"x"}` + "\n" + `{"step":"a","result":"ok","text":"x"}` + "\n{}\n", Failed, Failed, true},
		{"no reason", `{"step":"a","result":"refused"}` + "\n" + `{"step":"ethtool -G","result":"ok"}` + "\n{}\n", Failed, Failed, true},
		{"unknown result", `{"step":"a","result":"skipped","text":"x"}` + "\n{}\n", Failed, Failed, true},
		{"garbage before a", "xyz\n" + `{"step":"a","result":"ok","text":"x"}` + "\n" + `{"step":"ethtool -G","result":"ok","text":"x"}` + "\n{}\n", Failed, OK, true},
		{"refused where it may not", `{"step":"a","result":"refused","text":"x"}` + "\n" + `{"step":"ethtool -G","result":"ok","text":"x"}` + "\n{}\n", Failed, OK, true},
		{"cut", `{"step":"a","result":"ok","text":"x"}` + "\n" + `{"step":"ethtool -G","resu`, OK, Failed, false},
	} {
		reports, ended := Read(strings.NewReader(c.lines), steps)
		if len(reports) != 2 || reports[0].Result != c.a || reports[1].Result != c.b || ended != c.ended {
			t.Errorf("%s: %+v, ended %v; want %s, %s, %v", c.name, reports, ended, c.a, c.b, c.ended)
		}
	}
}

func TestWriteRead(t *testing.T) {
	var b strings.Builder
	for _, r := range []Report{{"a", OK, "native", "one\ntwo", "three"}, {}} {
		if err := r.Write(&b); err != nil {
			t.Fatal(err)
		}
	}
	reports, ended := Read(strings.NewReader(b.String()), []string{"a"})
	if len(reports) != 1 || reports[0] != (Report{"a", OK, "native", "one\ntwo", "three"}) || !ended {
		t.Errorf("%+v, %v", reports, ended)
	}
}
