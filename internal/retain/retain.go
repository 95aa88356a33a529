// Package retain decides which files of a series weir deletes, so that a disk does not
// fill. It sees names, times and sizes only: who calls it finds the files and deletes
// them.
//
// Files are looked at from the oldest on. The first one that nothing asks to delete ends
// it, so that what stays is always the newest part of the series.
package retain

import "time"

// Limits are what a series of files may be. A limit of 0 is none.
type Limits struct {
	Count int           // files
	Bytes int64         // bytes of all files together
	Age   time.Duration // time since [File.Time] at which a file is deleted
}

// Any reports whether there is a limit.
func (l Limits) Any() bool { return l.Count > 0 || l.Bytes > 0 || l.Age > 0 }

// A File is one of a series.
type File struct {
	Name  string
	Time  time.Time // what Limits.Age counts from
	Bytes int64     // what it adds to Limits.Bytes
	Frees int64     // bytes of the disk that deleting it frees
}

// A Reason says why a file is deleted.
type Reason uint8

// The reasons. Age is asked first.
const (
	Count  Reason = iota // more files than Limits.Count
	Bytes                // more bytes than Limits.Bytes
	Age                  // older than Limits.Age
	Free                 // the disk is fuller than it may be
	number               // of reasons
)

// NumReasons is the number of reasons.
const NumReasons = int(number)

// String returns the reason as metrics have it.
func (r Reason) String() string { return [NumReasons]string{"count", "bytes", "age", "free"}[r] }

// Trim deletes files, which are in order, oldest first, until those that are left keep
// the limits and missing bytes of the disk are free. remove deletes a file and reports
// whether it is gone; one that stays counts as before, and the next one is tried. For
// Free it passes over files that free nothing.
func (l Limits) Trim(files []File, now time.Time, missing int64, remove func(File, Reason) bool) {
	count, bytes := len(files), int64(0)
	for _, f := range files {
		bytes += f.Bytes
	}
	for _, f := range files {
		var why Reason
		switch {
		case l.Age > 0 && now.Sub(f.Time) >= l.Age:
			why = Age
		case l.Count > 0 && count > l.Count:
			why = Count
		case l.Bytes > 0 && bytes > l.Bytes:
			why = Bytes
		case missing > 0:
			why = Free
		default:
			return
		}
		if why == Free && f.Frees == 0 {
			continue
		}
		if remove(f, why) {
			count, bytes, missing = count-1, bytes-f.Bytes, missing-f.Frees
		}
	}
}
