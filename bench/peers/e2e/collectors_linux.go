package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// port is where all collectors listen.
const port = 29555

// httpPort is where those with metrics serve them.
const httpPort = 29580

// collector is a way to run a collector.
type collector struct {
	name string
	// protocols are the workloads that it takes, nil for all.
	protocols []string
	args      func(dir, workload string) []string
	xdp       bool // frames into a veth pair, in a namespace
	ours      bool
}

// collectors returns those that are here.
func (o *options) collectors() []collector {
	listen := func(workload, blocking string) string {
		scheme := "netflow"
		if workload == "sflow" {
			scheme = "sflow"
		}
		return fmt.Sprintf("%s://127.0.0.1:%d%s", scheme, port, blocking)
	}
	weir := func(listen string, more ...string) []string {
		return append([]string{o.weir, "-listen", listen, "-addr", "127.0.0.1:" + strconv.Itoa(httpPort), "-loglevel", "warn",
			"-format", "bin", "-transport.file.sep", "", "-transport.file", "/dev/null"}, more...)
	}
	all := []collector{
		{name: "weir-udp", ours: true, args: func(_, workload string) []string { return weir(listen(workload, "")) }},
		{name: "weir-xdp", ours: true, xdp: true, args: func(string, string) []string {
			return weir("flow://:"+strconv.Itoa(port), "-xdp.interface", "vc", "-xdp.require", "-xdp.workers", "1")
		}},
	}
	if o.goflow2 != "" {
		all = append(all, collector{name: "goflow2", args: func(_, workload string) []string {
			return []string{o.goflow2, "-listen", listen(workload, "?count=1&workers=1&blocking=true&queue_size=100000"),
				"-addr", "127.0.0.1:" + strconv.Itoa(httpPort), "-format", "bin", "-transport.file.sep", "", "-transport.file", "/dev/null", "-loglevel", "error"}
		}})
	}
	if path, err := exec.LookPath("nfcapd"); err == nil {
		all = append(all, collector{name: "nfcapd", protocols: []string{"nf5", "nf9", "ipfix"}, args: func(dir, _ string) []string {
			return []string{path, "-b", "127.0.0.1", "-p", strconv.Itoa(port), "-w", dir, "-B", strconv.Itoa(32 << 20), "-t", "3600"}
		}})
	}
	if path, err := exec.LookPath("sfcapd"); err == nil {
		all = append(all, collector{name: "sfcapd", protocols: []string{"sflow"}, args: func(dir, _ string) []string {
			return []string{path, "-b", "127.0.0.1", "-p", strconv.Itoa(port), "-w", dir, "-B", strconv.Itoa(32 << 20), "-t", "3600"}
		}})
	}
	if path, err := exec.LookPath("nfacctd"); err == nil {
		all = append(all, collector{name: "nfacctd", protocols: []string{"nf9", "nf5", "ipfix"}, args: func(dir, _ string) []string {
			conf := filepath.Join(dir, "nfacctd.conf")
			text := fmt.Sprintf("nfacctd_ip: 127.0.0.1\nnfacctd_port: %d\nplugins: memory\naggregate: src_host,dst_host,src_port,dst_port,proto\n"+
				"imt_path: %s/imt\nimt_mem_pools_number: 0\nplugin_pipe_size: 67108864\nplugin_buffer_size: 65536\nnfacctd_pipe_size: 33554432\n", port, dir)
			_ = os.WriteFile(conf, []byte(text), 0o644) // nfacctd says what is missing
			return []string{path, "-f", conf}
		}})
	}
	return all
}

// takes says whether the collector takes a workload.
func (c *collector) takes(workload string) bool {
	if c.protocols == nil {
		return true
	}
	for _, p := range c.protocols {
		if p == workload {
			return true
		}
	}
	return false
}
