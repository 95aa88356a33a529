package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/weirflow/weir/bench/gen/workload"
)

// What captures are addressed to.
const (
	portNetFlow = 2055
	portSFlow   = 6343
	// sourcePort is the port that all exporters send from.
	sourcePort = 50000

	snapLen = 1 << 16
)

// collectorAddr is in the network of the exporters.
var collectorAddr = netip.AddrFrom4([4]byte{198, 19, 255, 254})

// captureFile is the output to a pcap file of Ethernet frames, with times of
// nanoseconds. Datagrams are not fragmented, whatever their length.
type captureFile struct {
	file    *os.File
	buffer  *bufio.Writer
	pcap    *pcapgo.Writer
	scratch gopacket.SerializeBuffer
}

func newCapture(name string) (*captureFile, error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("create capture: %w", err)
	}
	c := &captureFile{file: f, buffer: bufio.NewWriterSize(f, 1<<18), scratch: gopacket.NewSerializeBuffer()}
	c.pcap = pcapgo.NewWriterNanos(c.buffer)
	if err := c.pcap.WriteFileHeader(snapLen, layers.LinkTypeEthernet); err != nil {
		return nil, errors.Join(fmt.Errorf("write capture: %w", err), f.Close())
	}
	return c, nil
}

// put writes a datagram in a frame, at the time of its export.
func (c *captureFile) put(d *workload.Datagram, _ *counters) (bool, error) {
	port := layers.UDPPort(portNetFlow)
	if d.Protocol == workload.SFlow {
		port = portSFlow
	}
	ether := &layers.Ethernet{
		SrcMAC:       net.HardwareAddr{2, 0, 0, 1, byte(d.Exporter >> 8), byte(d.Exporter)},
		DstMAC:       net.HardwareAddr{2, 0, 0, 2, 0, 1},
		EthernetType: layers.EthernetTypeIPv4,
	}
	ip := &layers.IPv4{
		Version:  4,
		TTL:      64,
		Protocol: layers.IPProtocolUDP,
		Flags:    layers.IPv4DontFragment,
		SrcIP:    workload.ExporterAddr(d.Exporter).AsSlice(),
		DstIP:    collectorAddr.AsSlice(),
	}
	udp := &layers.UDP{SrcPort: sourcePort, DstPort: port}
	if err := udp.SetNetworkLayerForChecksum(ip); err != nil {
		return false, fmt.Errorf("write capture: %w", err)
	}
	err := gopacket.SerializeLayers(c.scratch, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		ether, ip, udp, gopacket.Payload(d.Payload))
	if err != nil {
		return false, fmt.Errorf("write capture: %w", err)
	}
	frame := c.scratch.Bytes()
	err = c.pcap.WritePacket(gopacket.CaptureInfo{
		Timestamp:     time.Unix(0, d.TimeNs).UTC(),
		CaptureLength: len(frame),
		Length:        len(frame),
	}, frame)
	if err != nil {
		return false, fmt.Errorf("write capture: %w", err)
	}
	return true, nil
}

func (c *captureFile) close() error {
	if err := errors.Join(c.buffer.Flush(), c.file.Close()); err != nil {
		return fmt.Errorf("write capture: %w", err)
	}
	return nil
}
