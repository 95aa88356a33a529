// Package mmdbtest writes MaxMind databases for tests and benchmarks.
package mmdbtest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// WriteASN writes a database that gives AS numbers to networks. Narrow networks
// win over those around them.
func WriteASN(path string, networks map[string]uint32) error {
	return write(path, "GeoLite2-ASN", networks, func(as uint32) mmdbtype.Map {
		return mmdbtype.Map{
			"autonomous_system_number":       mmdbtype.Uint32(as),
			"autonomous_system_organization": mmdbtype.String(fmt.Sprintf("AS %d", as)),
		}
	})
}

// WriteCountry writes a database that gives ISO country codes to networks. Narrow
// networks win over those around them.
func WriteCountry(path string, networks map[string]string) error {
	return write(path, "GeoLite2-Country", networks, func(code string) mmdbtype.Map {
		return mmdbtype.Map{
			"continent": mmdbtype.Map{"code": mmdbtype.String("XX")},
			"country": mmdbtype.Map{
				"geoname_id": mmdbtype.Uint32(1),
				"iso_code":   mmdbtype.String(code),
				"names":      mmdbtype.Map{"en": mmdbtype.String("Country " + code)},
			},
		}
	})
}

// write writes a file next to path and moves it there, as updaters do.
func write[V any](path, kind string, networks map[string]V, record func(V) mmdbtype.Map) error {
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: kind, RecordSize: 28, IncludeReservedNetworks: true})
	if err != nil {
		return fmt.Errorf("make database: %w", err)
	}
	byWidth := slices.SortedFunc(maps.Keys(networks), func(a, b string) int {
		return cmp.Or(bits(a)-bits(b), cmp.Compare(a, b))
	})
	for _, network := range byWidth {
		_, prefix, err := net.ParseCIDR(network)
		if err != nil {
			return fmt.Errorf("make database: %w", err)
		}
		if err := tree.Insert(prefix, record(networks[network])); err != nil {
			return fmt.Errorf("insert %s: %w", network, err)
		}
	}
	f, err := os.Create(path + ".new")
	if err != nil {
		return fmt.Errorf("write database: %w", err)
	}
	_, err = tree.WriteTo(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write database: %w", err)
	}
	return os.Rename(path+".new", path)
}

// bits returns the length of a prefix.
func bits(network string) int {
	_, text, _ := strings.Cut(network, "/")
	n, _ := strconv.Atoi(text)
	return n
}
