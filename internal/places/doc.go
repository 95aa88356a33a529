// Package places knows the places where flows can be lost, from the network to the disk.
//
// [Table] has a row for each place: its name, the metrics that count what is lost there,
// what a line in the log says, what to do, and how grave it is. All that weir says about loss
// follows from these rows: once a second a [Watcher] compares a [Reading] with the one
// before, logs at most a line a minute and place, and answers for /health and for the
// status line of systemd. The alerting rules for Prometheus are written from the table by a
// test, and another one looks for each alert in the runbook.
//
// Nothing here is on the way of a datagram: readings are taken from snapshots.
package places
