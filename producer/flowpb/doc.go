// Package flowpb is the protobuf schema of flow messages, with Go code for consumers and
// tests. It is generated from the table of package schema; weir itself encodes messages
// without it.
package flowpb
