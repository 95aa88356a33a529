// Package names keeps what options data says about the numbers in flow records: names of
// interfaces, VRFs, applications and samplers, the modes of samplers, and what exporters
// counted themselves.
//
// Exporters announce these now and then in records of options data. Producers learn them
// into one [Table] ([Table.Learn]) and look them up by exporter and observation domain
// ([Table.Find], [Domain.Name]) where the configuration joins them to flows. What was
// learned is saved with the templates.
//
// Memory is bounded: a table has so many bytes, and one address no more than an eighth of
// what was free when it asked. What has no room is counted.
package names
