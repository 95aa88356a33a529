package live

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/weirflow/weir/internal/testnet"
)

// TestOpenVSwitch: traffic across a bridge of Open vSwitch's userspace datapath
// is what weir writes of the bridge's exports. What Open vSwitch counts differs
// by protocol: sFlow gives the length of the frame with its checksum, IPFIX that
// of the IP packet, NetFlow v5 that of the frame without.
func TestOpenVSwitch(t *testing.T) {
	t.Parallel()
	needProgram(t, "ovs-vswitchd", "openvswitch-switch")
	needProgram(t, "ovsdb-server", "openvswitch-switch")
	target := `"` + hostPort(collector4, 2055) + `"`
	for _, tc := range []struct {
		name, typ string
		traffic   []conversation
		extra     int
		leaving   bool // packets are exported when they leave, too
		export    []string
	}{
		{"sflow", "SFLOW_5", bothFamilies(), 18, false, []string{
			"--id=@x", "create", "sflow", "agent=eth0", "target=" + target, "sampling=1", "polling=1", "header=128",
			"--", "set", "bridge", "br0", "sflow=@x"}},
		{"ipfix", "IPFIX", bothFamilies(), 0, true, []string{
			"--id=@x", "create", "ipfix", "targets=" + target, "sampling=1", "cache_active_timeout=1", "cache_max_flows=1000",
			"obs_domain_id=77", "obs_point_id=88",
			"--", "set", "bridge", "br0", "ipfix=@x"}},
		{"netflow5", "NETFLOW_V5", conversations4, 14, false, []string{
			"--id=@x", "create", "netflow", "targets=" + target, "active_timeout=1",
			"--", "set", "bridge", "br0", "netflow=@x"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			testnet.Veth(t, l.exporter, "mon1", "", "", l.outside, "mon1", "", "", 1)
			w := startWeir(t, l.collector)
			vsctl := startOpenVSwitch(t, l.exporter)
			vsctl(tc.export...)
			inject(t, l.outside, "mon0", frames(tc.traffic), l.exporter)
			views := 1
			if tc.leaving {
				views = 2
			}
			w.waitPackets(views * packets(tc.traffic))
			vsctl("clear", "bridge", "br0", "sflow", "ipfix", "netflow")

			m := w.rest()
			w.stop()
			m.lossless(t)
			var entering, leaving []record
			for _, r := range readLines(t, w.file) {
				switch {
				case !r.ofTraffic():
				case tc.leaving && r.OutIf != 0:
					leaving = append(leaving, r)
				default:
					entering = append(entering, r)
				}
			}
			checkCommon(t, entering, tc.typ, exporter4)
			sameFlows(t, byFlow(t, entering), sent(tc.traffic, tc.extra))
			if tc.leaving {
				checkCommon(t, leaving, tc.typ, exporter4)
				sameFlows(t, byFlow(t, leaving), sent(tc.traffic, tc.extra))
			}
		})
	}
}

// startOpenVSwitch starts a switch of its own on a host, with a bridge br0 that
// forwards from mon0 to mon1, and returns what configures it.
func startOpenVSwitch(t *testing.T, host *testnet.Host) (vsctl func(args ...string)) {
	t.Helper()
	dir, err := os.MkdirTemp("", "ovs") // paths of sockets are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	env := environment("OVS_RUNDIR="+dir, "OVS_LOGDIR="+dir, "OVS_DBDIR="+dir, "OVS_SYSCONFDIR="+dir)
	db, socket := filepath.Join(dir, "conf.db"), filepath.Join(dir, "db.sock")
	runOn(t, host, env, "ovsdb-tool", "create", db, "/usr/share/openvswitch/vswitch.ovsschema")
	start := func(name string, args ...string) *child {
		cmd := host.Command(context.Background(), name, append(args, "--pidfile="+filepath.Join(dir, name+".pid"))...)
		cmd.Env = env
		return startChild(t, cmd)
	}
	start("ovsdb-server", db, "--remote=punix:"+socket)
	eventually(t, "ovsdb-server listens", func() bool { _, err := os.Stat(socket); return err == nil })
	vsctl = func(args ...string) {
		t.Helper()
		runOn(t, host, env, "ovs-vsctl", append([]string{"--db=unix:" + socket, "--timeout=15", "--retry"}, args...)...)
	}
	vsctl("--no-wait", "init")
	start("ovs-vswitchd", "unix:"+socket)
	vsctl("set", "open_vswitch", ".", "other_config:max-idle=500", "other_config:max-revalidator=100")
	vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev", "fail_mode=secure",
		"--", "add-port", "br0", "mon0", "--", "add-port", "br0", "mon1")
	runOn(t, host, env, "ovs-ofctl", "add-flow", "br0", "in_port=mon0,actions=output:mon1")
	return vsctl
}
