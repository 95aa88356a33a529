// Command image makes the OCI image of weir without a container engine: for each
// architecture a layer with what every weir needs of a system (user, CA certificates,
// folders), a layer with the program, and their configuration.
//
//	image -version 1.2.3 -revision abc -created 1700000000 -out DIR amd64=path/to/weir arm64=path/to/weir
//
// It writes DIR/weir-VERSION-image-ARCH.tar, an OCI layout that docker load, podman load and
// skopeo read, and DIR/weir-VERSION-image.tar, an OCI layout with an index of all
// architectures, for a registry. The same arguments give the same bytes.
//
// The folder is a Go module of its own: its libraries are none of weir's.
package main
