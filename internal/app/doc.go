// Package app is the weir program: what its commands do, in which order its
// parts are started, and in which they are stopped.
//
// [Main] picks the command. With none, weir collects (run.go): sockets, sink,
// workers and the web server are started in that order, and stopped in the
// order of the data: workers, which drain their sockets and seal their
// batches, then the sink, then the rest.
package app
