// Package file is the sink that writes to a file, a FIFO, a device or
// standard output.
//
// A batch goes from the worker's memory into write(2) as it is, as a rule in
// one call. Where the kernel takes less, the sink sees to it that only whole
// messages are in the output: a regular file is cut back to the end of its
// last whole message, anything else gets the rest of the message as soon as
// it takes more. How many messages got in is known from the batch, so that a
// full disk costs exactly the messages that did not fit.
//
// Between two batches the file may be rotated, by size and by time: it is
// renamed to flows-20261123T093000Z-0001.json, a new one is opened under the
// old name, and a goroutine in the background compresses what was renamed.
// For rotation by another program there is [File.Reopen].
//
// A crash may leave a message half written. When a file is opened, a last line
// without its end is cut off. Messages that are not lines are looked at from a mark
// on, a small file that holds where the last whole batch ends; what follows the last
// whole message goes to another file.
package file
