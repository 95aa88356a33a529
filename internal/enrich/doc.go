// Package enrich knows from MaxMind databases where addresses belong, and adds
// it to messages.
//
// The journey of a database: [Open] reads the file into memory, so that nobody
// who overwrites it in place can harm a reader, walks all of its networks once
// and keeps of each record the one value that is of use. A file that is damaged,
// or of another kind, is refused there. [Databases.Watch] looks at the files
// once a second; one that has changed, and then not for a second, is read the
// same way and takes the place of the old one at once. A new file that is no
// good leaves the old one in place, and the log says so.
//
// The journey of an answer: [Databases.Source] is what the caches of package
// geo ask, one cache a worker. A look-up walks the tree of the database and reads
// one value from a map; it neither decodes nor allocates.
//
// The journey of a message: [Rewriter] finds the addresses in the bytes of a
// protobuf message without decoding it, takes out the fields that enrichment
// replaces and appends them again.
package enrich
