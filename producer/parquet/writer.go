package parquet

import (
	"encoding/binary"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"github.com/weirflow/weir/producer/columns"
)

// Compression is how pages are compressed that gain from it.
type Compression uint8

// Compressions, by the numbers of Parquet's codecs.
const (
	None   Compression = 0
	Snappy Compression = 1
	Zstd   Compression = 6
)

// magic begins and ends a file.
const magic = "PAR1"

// A Writer makes Parquet files, one after the other: [Writer.Begin], a row group for each
// batch by [Writer.Append], and [Writer.End]. The bytes are the caller's to write. A Writer is
// for one goroutine; what it knows of a file in work grows by some 15 KB a row group.
type Writer struct {
	codec   Compression
	zstd    *zstd.Encoder
	creator string

	at     int64 // offset in the file
	rows   int64
	groups []byte // metadata of the row groups, encoded
	count  int    // of row groups
	out    []byte

	chunk     chunk
	index     []pageIndex
	indexData []byte
	skip      []uint8 // row groups without a dictionary, by column

	// Memory.
	page, packed []byte
	header, meta thrift
	dict         dict
	table        *[1 << 16]uint32
	idx, runIdx  []uint32
	runValues    []uint64
	wide         []uint64
	lengths      []uint32
	levels       []uint8
	repeats      []uint8
	one          [1]columns.Run
	bounds       []byte
}

// pageIndex is the page index of a column of the row group in work.
type pageIndex struct{ offsetAt, offsetLen, columnAt, columnLen int64 }

// New returns a writer. creator is the program that the files name as theirs.
func New(codec Compression, creator string) (*Writer, error) {
	w := &Writer{codec: codec, creator: creator, skip: make([]uint8, len(leaves)), index: make([]pageIndex, len(leaves))}
	if codec == Zstd {
		var err error
		if w.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1)); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// Begin appends the beginning of a file to dst, and forgets the file before.
func (w *Writer) Begin(dst []byte) []byte {
	w.at, w.rows, w.count, w.groups = int64(len(magic)), 0, 0, w.groups[:0]
	return append(dst, magic...)
}

// Rows returns how many rows the file has, Size how many bytes, without its end.
func (w *Writer) Rows() int64 { return w.rows }
func (w *Writer) Size() int64 { return w.at }

// Append appends a row group with the rows of a batch to dst, if there are any. It finishes
// the batch.
func (w *Writer) Append(dst []byte, b *columns.Batch) []byte {
	rows := b.Rows()
	if rows == 0 {
		return dst
	}
	b.Finish()
	w.out = dst
	begin := w.at
	t := &w.meta
	t.b = w.groups
	t.open()
	t.list(1, len(leaves), typeStruct)
	size := int64(0)
	w.indexData = w.indexData[:0]
	for i := range leaves {
		l, c := &leaves[i], b.Column(i)
		w.chunk = chunk{pages: w.chunk.pages[:0], stats: l.stats, dataAt: 0}
		w.bounds = w.bounds[:0]
		if l.stats {
			w.chunk.stats = true
			w.bound(l, c, rows)
		}
		switch {
		case l.list:
			w.lists(l, c, rows)
		case l.optional:
			w.optional(l, c, rows, i)
		case l.phys == physByteArray:
			w.texts(l, c, rows, i)
		default:
			w.numbers(l, c, rows, i)
		}
		size += w.chunk.size
		w.columnChunk(l)
	}
	t.i64(2, size)
	t.i64(3, int64(rows))
	t.i64(5, begin)
	t.i64(6, w.at-begin)
	t.i16(7, int64(w.count))
	t.close()
	w.groups, w.count, w.rows = t.b, w.count+1, w.rows+int64(rows)
	dst = w.out
	w.out = nil
	return dst
}

// End appends the end of the file to dst: the metadata.
func (w *Writer) End(dst []byte) []byte {
	t := &w.header
	t.b = t.b[:0]
	t.open()
	t.i32(1, 1)
	t.elements()
	t.i64(3, w.rows)
	t.list(4, w.count, typeStruct)
	t.b = append(t.b, w.groups...)
	t.text(6, w.creator)
	t.list(7, len(leaves), typeStruct)
	for range leaves {
		t.open()
		t.empty(1)
		t.close()
	}
	t.close()
	dst = append(dst, t.b...)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(t.b)))
	return append(dst, magic...)
}

// dictPage writes w.page as a dictionary of n values. It is never compressed: its chunk is
// not.
func (w *Writer) dictPage(n int) {
	w.chunk.dictAt = w.at
	t := w.pageHeader(2, len(w.page), len(w.page))
	t.structure(7)
	t.i32(1, int64(n))
	t.i32(2, encPlain)
	t.close()
	t.close()
	w.write(t.b, w.page, len(w.page))
}

// dataPage writes w.page as a page of n values, from a row on.
func (w *Writer) dataPage(n, row int) {
	ch := &w.chunk
	body := w.page
	if ch.compressed {
		switch w.codec {
		case Snappy:
			w.packed = longer(w.packed, s2.MaxEncodedLen(len(body)))
			body = s2.EncodeSnappy(w.packed, body)
		case Zstd:
			w.packed = w.zstd.EncodeAll(body, w.packed[:0])
			body = w.packed
		}
	}
	at := w.at
	if ch.dataAt == 0 {
		ch.dataAt = at
	}
	t := w.pageHeader(0, len(w.page), len(body))
	t.structure(5)
	t.i32(1, int64(n))
	t.i32(2, ch.encoding)
	t.i32(3, encRLE)
	t.i32(4, encRLE)
	t.close()
	t.close()
	w.write(t.b, body, len(w.page))
	if ch.stats {
		p := &ch.pages[row/pageRows]
		p.at, p.size, p.row = at, w.at-at, int64(row)
	}
}

// pageHeader begins the header of a page.
func (w *Writer) pageHeader(kind int64, size, packed int) *thrift {
	t := &w.header
	t.b = t.b[:0]
	t.open()
	t.i32(1, kind)
	t.i32(2, int64(size))
	t.i32(3, int64(packed))
	return t
}

// write appends a page that has so many bytes before compression.
func (w *Writer) write(header, body []byte, size int) {
	w.out = append(append(w.out, header...), body...)
	n := int64(len(header) + len(body))
	w.at += n
	w.chunk.packed += n
	w.chunk.size += int64(len(header) + size)
}

// columnChunk writes the page index of the chunk into the file, and its metadata to that of the
// row group.
func (w *Writer) columnChunk(l *leaf) {
	ch, t := &w.chunk, &w.meta
	var ix pageIndex
	if ch.stats {
		ix = w.writeIndex()
	}
	t.open()
	first := ch.dataAt
	if ch.dictAt != 0 {
		first = ch.dictAt
	}
	t.i64(2, first)
	t.structure(3)
	t.i32(1, l.phys)
	if ch.dictAt != 0 {
		t.list(2, 3, typeI32)
		t.number(encPlain)
	} else {
		t.list(2, 2, typeI32)
	}
	t.number(ch.encoding)
	t.number(encRLE)
	path := l.path()
	t.list(3, len(path), typeBinary)
	for _, p := range path {
		t.rawText(p)
	}
	codec := None
	if ch.compressed {
		codec = w.codec
	}
	t.i32(4, int64(codec))
	t.i64(5, ch.values)
	t.i64(6, ch.size)
	t.i64(7, ch.packed)
	t.i64(9, ch.dataAt)
	if ch.dictAt != 0 {
		t.i64(11, ch.dictAt)
	}
	if ch.stats {
		t.structure(12)
		t.i64(3, 0)
		t.bytes(5, ch.most)
		t.bytes(6, ch.least)
		t.close()
	}
	t.close()
	if ch.stats {
		t.i64(4, ix.offsetAt)
		t.i32(5, ix.offsetLen)
		t.i64(6, ix.columnAt)
		t.i32(7, ix.columnLen)
	}
	t.close()
}

// writeIndex writes the column index and the offset index of the chunk.
func (w *Writer) writeIndex() (ix pageIndex) {
	pages, t := w.chunk.pages, &w.header
	t.b = t.b[:0]
	t.open()
	t.list(1, len(pages), typeTrue)
	for range pages {
		t.b = append(t.b, typeFalse)
	}
	t.list(2, len(pages), typeBinary)
	for i := range pages {
		t.raw(pages[i].least)
	}
	t.list(3, len(pages), typeBinary)
	for i := range pages {
		t.raw(pages[i].most)
	}
	t.i32(4, 0)
	t.list(5, len(pages), typeI64)
	for range pages {
		t.number(0)
	}
	t.close()
	ix.columnAt, ix.columnLen = w.at, int64(len(t.b))
	w.out = append(w.out, t.b...)
	w.at += ix.columnLen
	t.b = t.b[:0]
	t.open()
	t.list(1, len(pages), typeStruct)
	for i := range pages {
		t.open()
		t.i64(1, pages[i].at)
		t.i32(2, pages[i].size)
		t.i64(3, pages[i].row)
		t.close()
	}
	t.close()
	ix.offsetAt, ix.offsetLen = w.at, int64(len(t.b))
	w.out = append(w.out, t.b...)
	w.at += ix.offsetLen
	return ix
}
