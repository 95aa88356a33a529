package producer_test

import (
	"encoding/binary"
	"runtime"
	"testing"
	"time"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// paceFactor and paceTurns say when an input takes too long: inPace.
const paceFactor, paceTurns = 20, 12

// inPace fails if the CPU time of an input does not follow from its length. No
// clock bounds it: it is compared with as many bytes of templates, the dearest
// bytes that there are, in turns with them, and fails only where each turn takes
// paceFactor times as long.
func inPace(t *testing.T, size int, took func() time.Duration) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	input, reference := took(), time.Duration(0)
	if input < time.Millisecond {
		return // as long as some bytes of templates, whatever size is
	}
	templates := dearest(max(size, 4<<10))
	for range paceTurns {
		reference, input = timeOf(t, templates), took()
		if input <= paceFactor*reference {
			return
		}
	}
	t.Errorf("%v for %d bytes, more than %d times the %v of as many bytes of templates, in each of %d turns",
		input, size, paceFactor, reference, paceTurns)
}

// timeOf returns the CPU time that a new producer takes for datagrams. Emptying
// the batch does not count: a build that poisons overwrites all of it then.
func timeOf(t *testing.T, all []arrival) time.Duration {
	p := producer.New(producer.Config{Format: producer.FormatBin}, producer.NewStore(template.DefaultLimits()))
	batch := producer.NewBatch(0, 64<<10)
	took := time.Duration(0)
	for _, a := range all {
		batch.Reset()
		began := cpuTime(t)
		p.Datagram(batch, a.meta, a.data)
		took += cpuTime(t) - began
	}
	return took
}

// dearest returns datagrams of size bytes or a little more, of nothing but
// templates of one field, each another one.
func dearest(size int) []arrival {
	const datagramMax = 8 << 10
	var all []arrival
	for domain := uint32(1); size > 0; domain++ {
		set := []byte{0, 0, 0, 0} // templates of NetFlow v9, length below
		for id := uint16(256); len(set) < min(size, datagramMax); id++ {
			set = binary.BigEndian.AppendUint16(set, id)
			set = append(set, 0, 1, 0, byte(id), 0, 4)
		}
		binary.BigEndian.PutUint16(set[2:], uint16(len(set)))
		d := []byte{0, 9, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}
		d = append(binary.BigEndian.AppendUint32(d, domain), set...)
		all = append(all, unframe(frame(nil, 0, d))...)
		size -= len(d)
	}
	return all
}
