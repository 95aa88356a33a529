// Package elements names information elements: those of IANA's registry, the
// common ones of vendors, and their names in NetFlow version 9.
//
// The table is elements.txt, which the command elementgen writes from sources
// that its first lines name. It is read at the first lookup, once, and takes
// some 400 KB from then on; a program that looks nothing up pays nothing.
//
// The package is not for the path of every record: producers look elements up
// when they compile a template or a mapping, or write a dump. All functions may
// be called concurrently. Elements are never written to.
package elements

//go:generate sh -c "cd ../.. && go run ./internal/elementgen -iana $ELEMENTS_IANA -cert $ELEMENTS_CERT"
