// Package geo remembers where addresses belong: the number of the autonomous
// system that announces them, and the country that they are registered in.
//
// The journey of a question: a worker has the bytes of an address and asks its
// [Cache]. The cache looks for the network around the address, /24 or /48, and
// answers from there if all of that network has one answer; else it looks for
// the address itself. What it has not met goes to the [Source], which says how
// far its answer holds, so that neighbours of an address are known from then on.
//
// The cache has a fixed size and does not allocate: nothing that the network
// sends makes it grow. It belongs to one goroutine; a Source serves many.
package geo
