package collector

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirflow/weir/decoders/template"
	pcap "github.com/weirflow/weir/internal/capture"
	"github.com/weirflow/weir/internal/create"
	"github.com/weirflow/weir/internal/retain"
	"github.com/weirflow/weir/producer"
)

// errorQueue is how many samples may wait to be written.
const errorQueue = 64

// ErrorSamples keeps the first datagrams of each reason for which one could not
// be decoded, or only in part: as frames with Ethernet, IP and UDP headers in a
// capture for each reason. A worker only copies the datagram; a goroutine writes
// it. Workers and Stats may be called by any goroutine.
type ErrorSamples struct {
	dir    string
	count  int
	limits atomic.Pointer[retain.Limits]
	store  *producer.TemplateStore
	log    *slog.Logger

	left    [producer.NumReasons]atomic.Int32 // to keep
	queue   chan errorSample
	done    sync.WaitGroup
	written atomic.Uint64
	dropped atomic.Uint64 // the queue was full
	failed  atomic.Uint64 // could not be written
	deleted [retain.NumReasons]atomic.Uint64
	// The writer's own: when a failure was logged, and which limits.
	said      time.Time
	announced retain.Limits
}

type errorSample struct {
	reasons producer.Reasons
	meta    producer.Meta
	local   netip.AddrPort
	payload []byte
}

// ErrorSampleStats counts samples.
type ErrorSampleStats struct {
	Written, Dropped, Failed uint64
	Deleted                  [retain.NumReasons]uint64 // captures
}

// NewErrorSamples keeps count datagrams of each reason in dir, which is made if it
// is not there. What earlier runs left there counts, and stays within keep, of which Bytes
// and Age count. That the folder cannot be used is logged and costs the samples only.
func NewErrorSamples(dir string, count int, keep retain.Limits, store *producer.TemplateStore, log *slog.Logger) *ErrorSamples {
	s := &ErrorSamples{dir: dir, count: count, store: store, log: log, queue: make(chan errorSample, errorQueue)}
	if err := create.Folder(dir, 0o750); err != nil {
		log.Warn("samples of errors cannot be kept: see -errors.sample", "error", err)
	}
	s.limits.Store(&keep)
	for i := range s.left {
		s.left[i].Store(int32(max(count-s.has(producer.Reason(i)), 0)))
	}
	s.done.Go(s.write)
	return s
}

// Stats returns what became of samples.
func (s *ErrorSamples) Stats() ErrorSampleStats {
	st := ErrorSampleStats{Written: s.written.Load(), Dropped: s.dropped.Load(), Failed: s.failed.Load()}
	for i := range st.Deleted {
		st.Deleted[i] = s.deleted[i].Load()
	}
	return st
}

// SetLimits changes which captures are kept, within a minute.
func (s *ErrorSamples) SetLimits(keep retain.Limits) { s.limits.Store(&keep) }

// Close writes what waits. No worker runs any more.
func (s *ErrorSamples) Close() {
	close(s.queue)
	s.done.Wait()
}

func (s *ErrorSamples) path(r producer.Reason) string {
	return filepath.Join(s.dir, r.String()+".pcap")
}

// has returns how many samples of a reason are there.
func (s *ErrorSamples) has(r producer.Reason) int {
	// Looked at first: opening a FIFO waits for ever.
	f, err := create.Read(s.path(r))
	if err != nil {
		return 0
	}
	_ = f.Close() // it was only read
	in, err := pcap.Open(s.path(r))
	if err != nil {
		return 0
	}
	defer in.Close()
	n := 0
	for {
		if _, err := in.Next(); err != nil {
			return min(n, s.count)
		}
		n++
	}
}

// keep takes a copy of a datagram if one is wanted for any of the reasons.
func (s *ErrorSamples) keep(reasons *producer.Reasons, meta producer.Meta, local netip.AddrPort, payload []byte) {
	var wanted producer.Reasons
	reasons.Each(func(r producer.Reason) {
		if s.left[r].Load() > 0 && s.left[r].Add(-1) >= 0 {
			wanted.Add(r)
		}
	})
	if !wanted.Any() {
		return
	}
	select {
	case s.queue <- errorSample{wanted, meta, local, append([]byte(nil), payload...)}:
	default:
		s.dropped.Add(1)
		wanted.Each(func(r producer.Reason) { s.left[r].Add(1) })
	}
}

// write writes samples until the queue is closed, and deletes old ones.
func (s *ErrorSamples) write() {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	s.trim(time.Now())
	for {
		select {
		case sample, ok := <-s.queue:
			if !ok {
				return
			}
			s.writeSample(&sample)
			if s.limits.Load().Bytes > 0 {
				s.trim(time.Now())
			}
		case now := <-tick.C:
			s.trim(now)
		}
	}
}

func (s *ErrorSamples) writeSample(sample *errorSample) {
	frames := s.frames(sample)
	sample.reasons.Each(func(r producer.Reason) {
		if err := s.append(r, frames); err != nil {
			s.fail("sample of an error not kept", "reason", r.String(), "error", err)
			return
		}
		s.written.Add(1)
	})
}

// fail counts a failure and logs it, once a minute at most.
func (s *ErrorSamples) fail(what string, attrs ...any) {
	s.failed.Add(1)
	if time.Since(s.said) > time.Minute {
		s.said = time.Now()
		s.log.Warn(what, attrs...)
	}
}

// trim deletes captures over the limits, oldest first: regular files named after a
// reason. One that became too old is begun again.
func (s *ErrorSamples) trim(now time.Time) {
	keep := *s.limits.Load()
	changed := keep != s.announced
	s.announced = keep
	if !keep.Any() {
		return
	}
	if changed {
		s.log.Info("samples of errors are deleted beyond a limit, oldest first", "folder", s.dir, "bytes", keep.Bytes, "age", keep.Age)
	}
	dir, err := create.OpenDir(s.dir)
	if err != nil {
		s.fail("samples of errors not looked at", "error", err)
		return
	}
	defer dir.Close()
	var files []retain.File
	reasons := map[string]producer.Reason{}
	for r := range producer.NumReasons {
		name := filepath.Base(s.path(producer.Reason(r)))
		if info, err := dir.Lstat(name); err == nil && info.Mode().IsRegular() {
			reasons[name] = producer.Reason(r)
			files = append(files, retain.File{Name: name, Time: info.ModTime(), Bytes: info.Size()})
		}
	}
	slices.SortFunc(files, func(a, b retain.File) int { return a.Time.Compare(b.Time) })
	keep.Trim(files, now, 0, func(f retain.File, why retain.Reason) bool {
		if err := dir.Remove(f.Name); err != nil {
			s.fail("capture of samples not deleted", "error", err)
			return false
		}
		s.deleted[why].Add(1)
		if why == retain.Age {
			s.left[reasons[f.Name]].Store(int32(s.count))
		}
		s.log.Info("capture of samples deleted", "file", f.Name, "bytes", f.Bytes, "why", "errors.sample.keep."+why.String())
		return true
	})
}

// append writes frames after those of a reason's capture. One that cannot take
// all of them is cut back to what it had.
func (s *ErrorSamples) append(r producer.Reason, frames []byte) (err error) {
	f, err := create.Own(s.path(r), 0o640)
	if err != nil {
		return fmt.Errorf("open capture: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("seek in capture: %w", err)
	}
	if size < pcapHeaderLen {
		size = 0
		frames = append(pcapHeader(), frames...)
	}
	if _, err = f.WriteAt(frames, size); err != nil {
		return fmt.Errorf("write capture: %w", errors.Join(err, f.Truncate(size)))
	}
	return nil
}

// frames are the records of a sample in a capture: the datagram, and before it,
// where it has data sets, one with their templates.
func (s *ErrorSamples) frames(e *errorSample) []byte {
	src, dst := e.meta.Source, e.local
	if addr := dst.Addr().Unmap(); !addr.IsValid() || addr.IsUnspecified() || addr.Is4() != src.Addr().Is4() {
		dst = netip.AddrPortFrom(ownAddress(src), dst.Port())
	}
	dst = netip.AddrPortFrom(dst.Addr().Unmap(), dst.Port())
	var b []byte
	if t := s.templates(e); t != nil {
		b = appendFrame(b, src, dst, e.meta.ReceivedNs, t, false)
	}
	return appendFrame(b, src, dst, e.meta.ReceivedNs, e.payload, e.meta.Truncated)
}

// ownAddress returns the address of this host that an exporter sends to as a
// rule: the one that an answer would come from.
func ownAddress(exporter netip.AddrPort) netip.Addr {
	if c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(exporter)); err == nil {
		defer c.Close()
		if a, ok := c.LocalAddr().(*net.UDPAddr); ok {
			return a.AddrPort().Addr().Unmap().WithZone("")
		}
	}
	if exporter.Addr().Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// templates returns a message with the templates of a datagram's data sets, as far
// as they are known and fit, or nil.
func (s *ErrorSamples) templates(e *errorSample) []byte {
	version, length := uint16(0), 0
	switch producer.Detect(e.payload) {
	case producer.ProtocolNetFlowV9:
		version, length = template.V9, 20
	case producer.ProtocolIPFIX:
		version, length = template.IPFIX, 16
	}
	if length == 0 || len(e.payload) < length {
		return nil
	}
	// The domain stands at the end of both headers.
	key := template.Key{
		Exporter: e.meta.Source.Addr().As16(), Port: e.meta.Source.Port(), Version: version,
		Domain: binary.BigEndian.Uint32(e.payload[length-4:]),
	}
	domain := s.store.Lookup(&key)
	if domain == nil {
		return nil
	}
	b := append([]byte(nil), e.payload[:length]...)
	records := uint16(0)
	done := map[uint16]bool{}
	var sets template.Sets
	for sets.Init(e.payload[length:]); sets.Next(); {
		t := domain.Template(sets.ID)
		if sets.ID < 256 || t == nil || done[sets.ID] || len(b)+len(t.Raw())+4 > 60000 {
			continue
		}
		done[sets.ID] = true
		id := uint16(0) // of v9: 0 and 1; of IPFIX 2 and 3
		if version == template.IPFIX {
			id = 2
		}
		if t.Options {
			id++
		}
		b = binary.BigEndian.AppendUint16(b, id)
		b = binary.BigEndian.AppendUint16(b, uint16(4+len(t.Raw())))
		b = append(b, t.Raw()...)
		records++
	}
	if records == 0 {
		return nil
	}
	if version == template.IPFIX {
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	} else {
		binary.BigEndian.PutUint16(b[2:], records)
	}
	return b
}

// pcapHeaderLen is the length of a capture's header
// (draft-ietf-opsawg-pcap section 4).
const pcapHeaderLen = 24

// pcapHeader is that of a capture of Ethernet frames with times in nanoseconds,
// little-endian.
func pcapHeader() []byte {
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b23c4d)
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint16(b, 4)
	b = append(b, make([]byte, 8)...)
	b = binary.LittleEndian.AppendUint32(b, 1<<18)
	return binary.LittleEndian.AppendUint32(b, 1)
}

// appendFrame appends the record of a frame with the payload. One that is cut has
// a UDP header that promises a byte more. Checksums are left out: 0 is none.
func appendFrame(b []byte, src, dst netip.AddrPort, atNs int64, payload []byte, cut bool) []byte {
	payload = payload[:min(len(payload), 65535-8-40)]
	total := 8 + len(payload)
	if cut {
		total++
	}
	var frame []byte
	frame = append(frame, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2) // locally administered
	if src.Addr().Is4() {
		frame = append(frame, 0x08, 0, 0x45, 0)
		frame = binary.BigEndian.AppendUint16(frame, uint16(20+total))
		frame = append(frame, 0, 0, 0x40, 0, 64, 17, 0, 0)
	} else {
		frame = append(frame, 0x86, 0xdd, 0x60, 0, 0, 0)
		frame = binary.BigEndian.AppendUint16(frame, uint16(total))
		frame = append(frame, 17, 64)
	}
	frame = append(frame, src.Addr().AsSlice()...)
	frame = append(frame, dst.Addr().AsSlice()...)
	if src.Addr().Is4() {
		sum := uint32(0)
		for i := 14; i < 34; i += 2 {
			sum += uint32(binary.BigEndian.Uint16(frame[i:]))
		}
		sum = sum>>16 + sum&0xffff
		binary.BigEndian.PutUint16(frame[24:], ^uint16(sum>>16+sum))
	}
	frame = binary.BigEndian.AppendUint16(frame, src.Port())
	frame = binary.BigEndian.AppendUint16(frame, dst.Port())
	frame = binary.BigEndian.AppendUint16(frame, uint16(total))
	frame = append(append(frame, 0, 0), payload...)

	b = binary.LittleEndian.AppendUint32(b, uint32(atNs/1e9))
	b = binary.LittleEndian.AppendUint32(b, uint32(atNs%1e9))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(frame)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(frame)+total-8-len(payload)))
	return append(b, frame...)
}
