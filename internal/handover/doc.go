// Package handover keeps descriptors open over a restart, so that what arrives while no
// weir runs waits in the kernel.
//
// There are two ways. Under systemd a process puts copies of its descriptors into the
// file descriptor store of its service ([Store]); the next process of the service finds
// them among those that it inherits ([Inherited]), together with the sockets of socket
// units. Without a service manager a new process connects to a Unix socket of the running
// one ([Ask]), which stops, sends its descriptors over the socket ([Request.Send]) and
// ends; [Server] is its side.
//
// A descriptor is known by its name. Descriptors that weir stored have names that begin
// with [Prefix]; others are of socket units.
//
// Sources: sd_listen_fds(3), sd_notify(3), sd_pid_notify_with_fds(3), unix(7).
//
// The functions may be called by any goroutine, each [Request] and [Peer] by one at a time.
package handover
