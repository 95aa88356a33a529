package weir_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/weirflow/weir"
)

// datagram is an IPFIX message: template 256 of four fields, a record of it.
var datagram, _ = hex.DecodeString(strings.ReplaceAll("000a003c 655f0b80 00000000 00000007"+
	" 00020018 01000004 00080004 000c0004 00010004 00020004"+
	" 01000014 c0000201 c6336407 000005dc 00000003", " ", ""))

var source = netip.MustParseAddrPort("192.0.2.1:4739")

func ExampleDecoder_Decode() {
	d, err := weir.NewDecoder(weir.Options{SamplingRate: 100})
	if err != nil {
		log.Fatal(err)
	}
	flows, err := d.Decode(source, time.Now(), datagram)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range flows {
		src, _ := netip.AddrFromSlice(f.SrcAddr)
		dst, _ := netip.AddrFromSlice(f.DstAddr)
		fmt.Println(f.Type, src, dst, f.Bytes, f.Packets, f.SamplingRate)
	}

	// Data of a template that nobody has announced.
	datagram := append([]byte(nil), datagram...)
	datagram[40] = 2 // the data set is of template 512
	_, err = d.Decode(source, time.Now(), datagram)
	fmt.Println(errors.Is(err, weir.ErrTemplateMissing), err)
	// Output:
	// IPFIX 192.0.2.1 198.51.100.7 1500 3 100
	// true decode ipfix datagram of 192.0.2.1:4739: template_missing: the rest is decoded
}

func ExampleDecoder_Walk() {
	d, err := weir.NewDecoder(weir.Options{})
	if err != nil {
		log.Fatal(err)
	}
	err = d.Walk(source, time.Now(), datagram, func(r *weir.Record) bool {
		for i := range r.Fields {
			f := &r.Fields[i]
			fmt.Printf("%s %x\n", f.Name(), f.Value)
		}
		return true
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// sourceIPv4Address c0000201
	// destinationIPv4Address c6336407
	// octetDeltaCount 000005dc
	// packetDeltaCount 00000003
}

func ExampleReceiver() {
	d, err := weir.NewDecoder(weir.Options{})
	if err != nil {
		log.Fatal(err)
	}
	got := make(chan string)
	r, err := weir.NewReceiver(d, weir.ReceiverConfig{
		Listen: []string{"127.0.0.1:0"}, // an exporter would send to :4739
		Handle: func(source netip.AddrPort, received time.Time, flows []*weir.Flow, err error) {
			if err != nil {
				log.Print(err)
			}
			got <- fmt.Sprint(source.Addr(), ": flows ", len(flows), ", bytes ", flows[0].Bytes)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := r.Start(context.Background()); err != nil {
		log.Fatal(err)
	}
	exporter, err := net.Dial("udp", r.Addrs()[0].String())
	if err != nil {
		log.Fatal(err)
	}
	exporter.Write(datagram)
	fmt.Println(<-got)
	if err := r.Stop(context.Background()); err != nil {
		log.Fatal(err)
	}
	if err := d.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 127.0.0.1: flows 1, bytes 1500
}

func ExampleNewDecoder_mapping() {
	d, err := weir.NewDecoder(weir.Options{Mapping: strings.NewReader(`
formatter:
  protobuf:
    - name: my_octets
      index: 2000
      type: varint
ipfix:
  mapping:
    - field: 1
      destination: my_octets
`)})
	if err != nil {
		log.Fatal(err)
	}
	flows, err := d.Decode(source, time.Now(), datagram)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%x\n", flows[0].ProtoReflect().GetUnknown())

	_, err = weir.NewDecoder(weir.Options{Mapping: strings.NewReader("formatter:\n  feilds: []\n")})
	fmt.Println(err)
	// Output:
	// 807ddc0b
	// compile mapping: mapping:2: formatter.feilds: unknown key; allowed: fields, key, protobuf, rename, render
}
