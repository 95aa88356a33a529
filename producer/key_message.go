package producer

import "encoding/binary"

// fusedKeys adds the keys of the messages at and behind place first of the
// batch, which were written without a Flow. prefix are the encoded fields that
// they share.
func (p *Producer) fusedKeys(b *Batch, first int, prefix []byte) {
	if p.prog.keyShared {
		key := p.prog.keyOfMessage(prefix)
		for range len(b.Ends) - first {
			b.Keys = append(b.Keys, key)
		}
		return
	}
	for i := first; i < len(b.Ends); i++ {
		msg := b.Message(i)
		n, size := binary.Uvarint(msg)
		b.Keys = append(b.Keys, p.prog.keyOfMessage(msg[size:size+int(n)]))
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
	case k.custom != nil && found == 0:
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
