// Package corpus tests weir decode against captures of real flow exporters. It
// has tests only.
//
// A capture's journey: the whole command runs in process, as the program runs
// it; its ledger must add up and its records must be as many as a count by the
// lengths on the wire gives. Then the records are compared, field by field,
// with what other decoders read from the same capture. Where they differ, a
// table says why, and README.md lists the reasons.
//
// Captures are in testdata/, and in a larger corpus that is not part of this
// project: where it is absent, its tests skip.
package corpus
