// Package mmdbtest writes MaxMind databases for tests.
package mmdbtest

import (
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// WriteASN writes a database that gives AS numbers to networks.
func WriteASN(tb testing.TB, path string, networks map[string]uint32) {
	tb.Helper()
	tree := newTree(tb, "GeoLite2-ASN")
	for network, as := range networks {
		insert(tb, tree, network, mmdbtype.Map{
			"autonomous_system_number":       mmdbtype.Uint32(as),
			"autonomous_system_organization": mmdbtype.String(fmt.Sprintf("AS %d", as)),
		})
	}
	write(tb, tree, path)
}

// WriteCountry writes a database that gives ISO country codes to networks.
func WriteCountry(tb testing.TB, path string, networks map[string]string) {
	tb.Helper()
	tree := newTree(tb, "GeoLite2-Country")
	for network, code := range networks {
		insert(tb, tree, network, mmdbtype.Map{
			"continent": mmdbtype.Map{"code": mmdbtype.String("XX")},
			"country": mmdbtype.Map{
				"geoname_id": mmdbtype.Uint32(1),
				"iso_code":   mmdbtype.String(code),
				"names":      mmdbtype.Map{"en": mmdbtype.String("Country " + code)},
			},
		})
	}
	write(tb, tree, path)
}

func newTree(tb testing.TB, kind string) *mmdbwriter.Tree {
	tb.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: kind, RecordSize: 28, IncludeReservedNetworks: true,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return tree
}

func insert(tb testing.TB, tree *mmdbwriter.Tree, network string, value mmdbtype.DataType) {
	tb.Helper()
	_, ipnet, err := net.ParseCIDR(network)
	if err != nil {
		tb.Fatal(err)
	}
	if err := tree.Insert(ipnet, value); err != nil {
		tb.Fatalf("insert %s: %v", network, err)
	}
}

// write writes a file beside path and moves it there, as updaters do.
func write(tb testing.TB, tree *mmdbwriter.Tree, path string) {
	tb.Helper()
	f, err := os.Create(path + ".new")
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := tree.WriteTo(f); err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		tb.Fatal(err)
	}
}
