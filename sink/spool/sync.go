package spool

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// syncer forces segments to the disk. The log's goroutine tells it of files
// and hands them over by retire; the syncer closes them.
type syncer struct {
	cfg    Config
	errors atomic.Uint64
	failed atomic.Bool // a sync failed: the active segment is not to be trusted
	quit   chan struct{}
	ended  chan struct{}

	state state // guarded by run

	mu      sync.Mutex // guards the rest
	cur     *os.File
	dirty   bool       // cur was written to
	files   bool       // the directory changed
	retired []*os.File // to be synced and closed

	run sync.Mutex // one sync at a time
}

func (s *syncer) start(cfg Config) {
	s.cfg = cfg
	s.quit, s.ended = make(chan struct{}), make(chan struct{})
	if cfg.SyncEvery < 0 {
		close(s.ended)
		return
	}
	go func() {
		defer close(s.ended)
		tick := time.NewTicker(cfg.SyncEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = s.sync() // counted and logged there
			case <-s.quit:
				return
			}
		}
	}()
}

func (s *syncer) began(f *os.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cur, s.dirty, s.files = f, true, true
}

func (s *syncer) wrote() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dirty = true
}

func (s *syncer) retire(f *os.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retired = append(s.retired, f)
	if s.cur == f {
		s.cur, s.dirty = nil, false
	}
}

// discard closes a retired file that is to be removed, so that its space is
// free. A file that is being synced is closed right after that.
func (s *syncer) discard(f *os.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := slices.Index(s.retired, f); at >= 0 {
		s.retired = slices.Delete(s.retired, at, at+1)
		_ = f.Close() // nothing of it is needed any more
	}
}

// sync forces everything written so far to the disk.
func (s *syncer) sync() error {
	s.run.Lock()
	defer s.run.Unlock()
	s.mu.Lock()
	cur, dirty, files, retired := s.cur, s.dirty, s.files, s.retired
	s.dirty, s.files, s.retired = false, false, nil
	s.mu.Unlock()

	var errs []error
	for _, f := range retired {
		errs = append(errs, f.Sync(), f.Close())
	}
	if cur != nil && dirty {
		// If it was discarded meanwhile nothing of it is needed.
		if err := cur.Sync(); !errors.Is(err, os.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if files {
		errs = append(errs, syncDir(s.cfg.Dir))
	}
	if err := errors.Join(errs...); err != nil {
		s.errors.Add(1)
		s.failed.Store(true)
		err = fmt.Errorf("sync spool: %w", err)
		s.state.begin(s.cfg.Logger, "spool is not safe on disk", err)
		return err
	}
	s.state.end(s.cfg.Logger, "spool is safe on disk again")
	return nil
}

func (s *syncer) stop() error {
	close(s.quit)
	<-s.ended
	return s.sync()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
