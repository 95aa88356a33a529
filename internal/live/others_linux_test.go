package live

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// TestFprobe: what fprobe exports of a capture that tcpreplay puts on its
// interface is what weir writes.
func TestFprobe(t *testing.T) {
	t.Parallel()
	needProgram(t, "fprobe", "fprobe")
	needProgram(t, "tcpreplay", "tcpreplay")
	l := newLab(t)
	w := startWeir(t, l.collector)
	cmd := l.exporter.Command(context.Background(), "fprobe", "-i", "mon0", "-f", "net 10.9.0.0/16", "-l", "2:1",
		"-s", "1", "-g", "1", "-d", "1", "-e", "1", "-c", "/", "-S", "1600", "-q", "1000", hostPort(collector4, 2055))
	cmd.Env = environment()
	p := startChild(t, cmd)
	p.waitFor("collector #1")

	capture := filepath.Join(t.TempDir(), "traffic.pcap")
	writeCapture(t, capture, frames(conversations4))
	runOn(t, l.outside, environment(), "tcpreplay", "-q", "-i", "mon0", "--mbps=20", capture)
	inject(t, l.outside, "mon0", frames([]conversation{filler}), l.exporter)
	w.waitPackets(packets(conversations4))
	p.signal(syscall.SIGTERM)
	p.waitEnd()

	m := w.rest()
	w.stop()
	m.lossless(t)
	records := readLines(t, w.file)
	checkCommon(t, records, "NETFLOW_V5", exporter4)
	fill := filler
	fill.packets = filledIn(records)
	sameFlows(t, byFlow(t, records), sent(append(slices.Clone(conversations4), fill), 0))
}

// writeCapture writes frames to a pcap file.
func writeCapture(t *testing.T, path string, list [][]byte) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := pcapgo.NewWriter(f)
	if err := w.WriteFileHeader(65535, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	for _, frame := range list {
		if err := w.WritePacket(gopacket.CaptureInfo{CaptureLength: len(frame), Length: len(frame)}, frame); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNfreplay: what nfcapd stored of softflowd, nfreplay sends again as NetFlow
// v9, and weir writes the traffic.
func TestNfreplay(t *testing.T) {
	t.Parallel()
	needProgram(t, "softflowd", "softflowd")
	needProgram(t, "nfcapd", "nfdump")
	needProgram(t, "nfreplay", "nfdump")
	l := newLab(t)
	store := t.TempDir()
	cmd := l.collector.Command(context.Background(), "nfcapd", "-w", store, "-p", "9995", "-t", "3600")
	cmd.Env = environment()
	n := startChild(t, cmd)
	n.waitFor("Startup")
	traffic := bothFamilies()
	s := startSoftflowd(t, l, "-v", "9", "-n", hostPort(collector4, 9995))
	inject(t, l.outside, "mon0", frames(traffic), l.exporter)
	inject(t, l.outside, "mon0", frames([]conversation{filler}), l.exporter)
	sum := s.finish(packets(traffic))
	fill := filler
	fill.packets = sum.packets - packets(traffic)
	n.signal(syscall.SIGTERM)
	n.waitEnd()

	w := startWeir(t, l.collector)
	files, err := filepath.Glob(filepath.Join(store, "nfcapd.2*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("nfcapd wrote %v: %v", files, err)
	}
	runOn(t, l.exporter, environment(), "nfreplay", "-r", files[0], "-H", collector4, "-p", "2055", "-v", "9")
	w.waitPackets(packets(traffic))
	m := w.rest()
	w.stop()
	m.lossless(t)
	records := readLines(t, w.file)
	// A flow whose only moment was softflowd's first has the uptime 0, which
	// nfcapd takes for no time at all and nfreplay passes on as 1970.
	timed := slices.DeleteFunc(slices.Clone(records), func(r record) bool { return r.StartNs == 0 && r.EndNs == 0 })
	checkCommon(t, timed, "NETFLOW_V9", exporter4)
	sameFlows(t, byFlow(t, records), sent(append(traffic, fill), 0))
	if len(records) != sum.records {
		t.Errorf("%d lines, softflowd exported %d records", len(records), sum.records)
	}
}
