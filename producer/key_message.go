package producer

import "encoding/binary"

// fusedKeys adds the keys of the messages at and after place first of the
// batch, which were written without a Flow after what they share.
func (p *Producer) fusedKeys(b *Batch, first int) {
	c := &p.fused
	for i := first; i < len(b.Ends); i++ {
		if p.prog.keyShared {
			b.Keys = append(b.Keys, c.key)
			continue
		}
		msg := b.Message(i)
		n, size := binary.Uvarint(msg)
		msg = msg[size : size+int(n)]
		if p.prog.keyPlaces == nil {
			b.Keys = append(b.Keys, p.prog.keyOfMessage(msg))
			continue
		}
		at := c.keyFields
		at.find(p.prog, msg, len(c.prefix))
		b.Keys = append(b.Keys, p.prog.plainKey(msg, &at))
	}
}

// shareKey notes what all messages with the encoded prefix share of their keys.
func (p *Producer) shareKey() {
	c := &p.fused
	switch {
	case !p.prog.Keyed():
	case p.prog.keyShared:
		c.key = p.prog.keyOfMessage(c.prefix)
	case p.prog.keyPlaces != nil:
		c.keyFields = keyFields{missing: p.prog.keyFields}
		c.keyFields.find(p.prog, c.prefix, 0)
	}
}

// keyOfMessage returns the key of an encoded message without its length. The
// message is one that this package wrote.
func (p *Program) keyOfMessage(msg []byte) uint32 {
	h := fnv(fnvOffset)
	for i := range p.key {
		h = p.key[i].hashMessage(h, msg)
	}
	return uint32(h)
}

// maxPlain is the number of fields of a key that keyFields takes.
const maxPlain = 8

// keyFields are the places of a key's fields in a message, for keys of a few
// fields of FlowMessage that are no lists.
type keyFields struct {
	at      [maxPlain]int // where the values begin, 0 for those that are not there
	missing int           // how many have not been found
}

// find looks for the fields from some place of the message on. Each is there at
// most once.
func (f *keyFields) find(p *Program, msg []byte, i int) {
	places := p.keyPlaces
	for i < len(msg) && f.missing > 0 {
		number := int(msg[i])
		wire := number & 7
		i++
		if number >= 0x80 {
			number = number&0x7f | int(msg[i])<<7
			i++
			if number >= 0x80<<7 { // an added field of a large number
				for msg[i-1] >= 0x80 {
					i++
				}
				number = len(places) << 3
			}
		}
		if number >>= 3; number < len(places) && places[number] != 0 {
			f.at[places[number]-1] = i
			f.missing--
		}
		if wire == wireVarint {
			for msg[i] >= 0x80 {
				i++
			}
			i++
			continue
		}
		n := int(msg[i])
		i++
		for shift := 7; msg[i-1] >= 0x80; shift += 7 {
			n = n&(1<<shift-1) | int(msg[i])<<shift
			i++
		}
		i += n
	}
}

// plainKey returns the key of a message whose fields were looked for.
func (p *Program) plainKey(msg []byte, f *keyFields) uint32 {
	h := fnv(fnvOffset)
	for i := range p.key {
		k := &p.key[i]
		from := f.at[p.keyPlaces[k.number]-1]
		if k.kind == kindBytes {
			if from == 0 {
				h = h.byte('[').byte(']')
			} else { // an address: its length is one byte
				h = h.bytes(msg[from+1 : from+1+int(msg[from])])
			}
			continue
		}
		v := uint64(0)
		if from > 0 {
			for shift := 0; ; shift += 7 {
				c := msg[from]
				v |= uint64(c&0x7f) << shift
				from++
				if c < 0x80 {
					break
				}
			}
		}
		if k.kind == kindType {
			h = h.text(typeName(uint32(v)))
		} else {
			h = h.number(v)
		}
	}
	return uint32(h)
}

// hashMessage adds the printed value of the field in an encoded message.
func (k *keyField) hashMessage(h fnv, msg []byte) fnv {
	list := k.kind >= kindUints && k.kind != kindType || k.custom != nil && k.custom.array
	var num uint64
	var val []byte
	found := 0
	out := h
	for len(msg) > 0 {
		number, wire, n, v, rest := nextField(msg)
		msg = rest
		if number != k.number {
			continue
		}
		if !list {
			num, val = n, v
			found++
			continue
		}
		if found == 0 {
			out = out.byte('[')
		}
		switch {
		case k.kind == kindUints || k.kind == kindLayers:
			for len(v) > 0 {
				x, size := binary.Uvarint(v)
				v = v[size:]
				if found > 0 {
					out = out.byte(' ')
				}
				found++
				if k.kind == kindLayers {
					out = out.text(layerName(uint32(x)))
				} else {
					out = out.number(x)
				}
			}
			continue
		case found > 0:
			out = out.byte(' ')
		}
		found++
		if wire == wireVarint {
			out = out.number(n)
		} else {
			out = out.bytes(v)
		}
	}
	switch {
	case (k.custom != nil || isExtra(k.id)) && found == 0:
		return h
	case list && found == 0:
		return h.byte('[').byte(']')
	case list:
		return out.byte(']')
	case k.kind == kindType:
		return h.text(typeName(uint32(num)))
	case k.kind == kindBytes && k.custom == nil, k.custom != nil && !k.custom.varint:
		return h.bytes(val)
	}
	return h.number(num)
}

// nextField takes one field off an encoded message.
func nextField(msg []byte) (number, wire int, n uint64, v, rest []byte) {
	tag, size := uint64(msg[0]), 1
	if tag >= 0x80 {
		tag, size = binary.Uvarint(msg)
	}
	msg = msg[size:]
	n, size = uint64(msg[0]), 1
	if n >= 0x80 {
		n, size = binary.Uvarint(msg)
	}
	msg = msg[size:]
	if wire = int(tag & 7); wire == wireBytes {
		v, msg = msg[:n], msg[n:]
	}
	return int(tag >> 3), wire, n, v, msg
}
