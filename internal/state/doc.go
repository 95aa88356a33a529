// Package state keeps in one file what a collector has to know again after a
// restart: the templates and sampling rates that exporters announced, and what
// is known about the exporters themselves.
//
// The file is one JSON object with named sections. Each [Section] writes and
// reads its own value; [File] knows when, and how to do it so that a crash at
// any moment leaves a whole file. [File.Load] reads it at the start, before
// anything else works with what is in the sections. [File.Run] then looks
// whether they changed, and writes a copy into a temporary file in the same
// folder, syncs it, renames it over the old one and syncs the folder.
//
// Nothing of this is on the receive path: sections copy from structures that
// workers write to without waiting. A file that cannot be read is set aside
// and named in the log, and a file that cannot be written is tried again; the
// collector works on.
//
// docs/templates.md has the format.
package state
