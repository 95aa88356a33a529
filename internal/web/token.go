package web

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/weirflow/weir/internal/create"
)

const (
	minToken = 16      // bytes
	maxToken = 4 << 10 // bytes of the file
)

// ReadToken reads the token in the first line of a file and returns its SHA-256.
// A file that any user may read or write, or its group may write, is refused. No
// error contains a part of the token.
func ReadToken(path string) (sum [sha256.Size]byte, err error) {
	f, err := create.Input(path) // which does not wait for the writer of a FIFO
	if err != nil {
		return sum, unreadable(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return sum, unreadable(err)
	}
	bad := func(format string, args ...any) error {
		return fmt.Errorf("read -addr.token-file %s: %w", path, fmt.Errorf(format, args...))
	}
	switch mode := info.Mode(); {
	case !mode.IsRegular():
		return sum, bad("not a regular file")
	case mode.Perm()&0o027 != 0:
		return sum, bad("other users may read or change it (mode %04o): want 0600 or 0640", mode.Perm())
	}
	data, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return sum, unreadable(err)
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	switch token := bytes.TrimSpace(line); {
	case len(data) > maxToken:
		return sum, bad("larger than %d bytes", maxToken)
	case len(token) < minToken:
		return sum, bad("its first line has %d characters: want %d or more", len(token), minToken)
	case bytes.ContainsAny(token, " \t"):
		return sum, bad("its first line has spaces")
	default:
		return sha256.Sum256(token), nil
	}
}

// unreadable explains why the file cannot be read, without its name: somebody may have
// put the token itself there.
func unreadable(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	return fmt.Errorf("read -addr.token-file: %w", err)
}

// PrepareToken reads the token file. commit has the server use what it read.
func (s *Server) PrepareToken() (commit func(), err error) {
	if s.tokenFile == "" {
		return func() {}, nil
	}
	sum, err := ReadToken(s.tokenFile)
	if err != nil {
		return nil, err
	}
	return func() { s.guard.token.Store(&sum) }, nil
}
