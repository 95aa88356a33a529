// Command dashboards writes the Grafana dashboards of weir as JSON: operations of weir from
// Prometheus, and flows from ClickHouse.
//
//	dashboards DIR          write the files
//	dashboards -check DIR   fail if the files are not what it would write
//
// Panels are rows of a table; the Grafana Foundation SDK gives them their shape and checks
// it. The folder is a Go module of its own: its libraries are none of weir's.
package main
