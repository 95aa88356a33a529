// Package mapping reads mapping files, in the form that goflow2 has for them.
//
// A file's journey: [Load] reads it and turns YAML into a tree of nodes that
// know their lines. The tree is walked against the keys that exist, which gives
// a producer.Mapping and everything that has the wrong shape. What a value of
// the right shape may not be, such as a destination that does not exist, is
// found by producer.NewProgram, whose problems name a path; the walk has noted
// the line of each path. So all faults come at once, each with its line.
package mapping
