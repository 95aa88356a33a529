// Package schema holds the table of the fields of a flow message: one row a field.
//
// A row says all that weir knows about a field: its name and number in the protobuf
// message, its type, unit and text form, what it means, and what fills it in each
// protocol. The producer reads the table when it compiles templates and mappings.
// What has to be Go code or a file of its own is generated from the table by
// go generate: flow.proto and its Go code, the Flow struct with its accessors,
// encoder and parser, docs/fields.md, a JSON Schema and the ClickHouse table.
//
// To add a field, add a row to [Fields] after the others and run go generate. If
// an exporter encodes the field in a way that no [Conversion] knows, add that to
// package producer too.
package schema

//go:generate go run ./generate
