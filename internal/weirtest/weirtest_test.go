package weirtest

import "testing"

const page = `# HELP weir_a_total A.
# TYPE weir_a_total counter
weir_a_total{path="udp",worker="0"} 3
weir_a_total{path="udp",worker="1"} 4
weir_a_total{path="xdp",worker="0"} 5
weir_a_total_more 100
weir_b 2.5
weir_capture_mode{interface="eth0",mode="native"} 1
weir_capture_mode{interface="eth0",mode="udp"} 0
weir_capture_mode{interface="eth1",mode="native"} 1
weir_capture_mode{interface="eth1",mode="udp"} 1
`

func TestMetrics(t *testing.T) {
	m, err := ParseMetrics(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"a_total", nil, 12}, {"a_total", []string{`path="udp"`}, 7}, {"a_total", []string{`path="udp"`, `worker="1"`}, 4},
		{"a_total", []string{`path="tcp"`}, 0}, {"b", nil, 2.5}, {"b", []string{`x="y"`}, 0},
	} {
		if got := Sum(m, test.name, test.labels...); got != test.want {
			t.Errorf("%s%v: %v, want %v", test.name, test.labels, got, test.want)
		}
	}
	for name, want := range map[string]string{"eth0": "native", "eth1": "", "eth": ""} {
		if got := Mode(m, name); got != want {
			t.Errorf("%s: mode %q, want %q", name, got, want)
		}
	}
	if _, err := ParseMetrics("weir_a x\n"); err == nil {
		t.Error("a value that is no number was taken")
	}
}
