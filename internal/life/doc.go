// Package life keeps what a process has counted where its end cannot take it: in a page
// of memory that is a file. The next process reads there how far the last one came, also
// if that was killed.
//
// [Open] reads the file that the last process left ([Previous]) and puts a new one in its
// place; a process that still writes to the old one does so without effect on the new.
// The counters in the page are written by whoever owns them with plain atomic stores: no
// system call, no lock. The kernel writes the page to the disk in its own time, so that
// what is read after a crash of the machine may be old; [Previous.SameBoot] tells.
//
// Numbers are in the byte order of the machine.
package life
