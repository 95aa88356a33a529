// Command compose reads the compose files of scripts/packaging/compose as Docker Compose
// does, and prints what a service runs, for tests that run it without containers:
//
//	compose FILE SERVICE    one argument of the service's command a line
//
// The folder is a Go module of its own: its libraries are none of weir's.
package main
