package producer

import "encoding/binary"

// Keys of plain samples are made for up to samplesKept of them at once, field by
// field and an address in pieces of four bytes, so that their chains of steps
// overlap as those of a keyPlan do. Until then the samples are kept.

// samplesKept is how many samples are kept; a power of two.
const samplesKept = 16

// keyless are plain samples of a datagram that have a message and no key yet.
// Nobody else adds a key to the batch while there are any.
type keyless struct {
	parts [samplesKept]sampleParts // and the current one after them
	n     int
	keys  [samplesKept]fnv
}

// sample is the current one.
func (k *keyless) sample() *sampleParts { return &k.parts[k.n&(samplesKept-1)] }

// keep has the current sample wait for its key.
func (p *Producer) keep() {
	if p.keyless.n++; p.keyless.n == samplesKept {
		p.keySamples()
	}
}

// keySamples adds the keys that are missing to the batch.
func (p *Producer) keySamples() {
	k := &p.keyless
	if k.n == 0 {
		return
	}
	keys := k.keys[:k.n]
	for i := range keys {
		keys[i] = fnvOffset
	}
	for i := range p.prog.key {
		k.addField(p.prog.key[i].id)
	}
	for _, key := range keys {
		p.batch.Keys = append(p.batch.Keys, uint32(key))
	}
	k.n = 0
}

// keyedByParts tells whether addField knows the field.
func keyedByParts(id fieldID) bool {
	switch id {
	case fieldSrcAddr, fieldDstAddr, fieldProto, fieldSrcMAC, fieldDstMAC:
		return true
	}
	return int(id) < len(partPlaces) && partPlaces[id] > 0
}

// addField adds the printed values of a field to the keys.
func (k *keyless) addField(id fieldID) {
	parts, keys := k.parts[:k.n], k.keys[:k.n]
	switch id {
	case fieldSrcAddr, fieldDstAddr:
		k.addAddresses(id == fieldDstAddr)
	case fieldProto:
		for i := range keys {
			keys[i] = keys[i].octet(parts[i].plain.Proto)
		}
	case fieldSrcMAC:
		for i := range keys {
			keys[i] = keys[i].number(parts[i].srcMAC)
		}
	case fieldDstMAC:
		for i := range keys {
			keys[i] = keys[i].number(parts[i].dstMAC)
		}
	default:
		place := (partPlaces[id] - 1) & 31
		for i := range keys {
			keys[i] = keys[i].number(uint64(parts[i].numbers[place]))
		}
	}
}

// addAddresses adds the sources of the sampled packets or their destinations, of 4
// or 16 bytes.
func (k *keyless) addAddresses(dst bool) {
	parts, keys := k.parts[:k.n], k.keys[:k.n]
	for i := range keys {
		keys[i] = keys[i].byte('[')
	}
	more := true
	for from := 0; more; from += 4 {
		more = false
		for i := range parts {
			a := parts[i].src
			if dst {
				a = parts[i].dst
			}
			if len(a) < from+4 {
				continue
			}
			more = more || len(a) > from+4
			v := binary.BigEndian.Uint32(a[from:])
			keys[i] = keys[i].spaced(byte(v >> 24)).spaced(byte(v >> 16)).spaced(byte(v >> 8)).spaced(byte(v))
		}
	}
	for i := range keys {
		keys[i] = keys[i].instead(']')
	}
}
