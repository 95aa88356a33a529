package producer

import "fmt"

// A keyField is a field that keys are made of.
type keyField struct {
	id     fieldID
	custom *customField
	kind   fieldKind
	number int // in the message
}

// keys compiles formatter.key and the fields of Settings.
func (c *compiler) keys(hash []string) {
	p := c.program
	p.keyShared, p.keyParts = true, true
	add := func(path, name string) {
		col, ok := c.column(name)
		if !ok || col.id == fieldICMPName {
			c.fault(path, name, "unknown field", c.names(false))
			return
		}
		k := keyField{id: col.id, custom: col.custom, kind: col.kind}
		if k.custom != nil {
			k.number = k.custom.number
		} else {
			k.number = fieldTable[k.id].number
		}
		p.key = append(p.key, k)
		p.keyParts = p.keyParts && keyedByParts(k.id)
		p.keyASes = p.keyASes || k.id == fieldSrcAS || k.id == fieldDstAS
		switch k.id {
		case fieldType, fieldSequenceNum, fieldSamplerAddress, fieldTimeReceivedNs, fieldObservationDomainID:
		default:
			p.keyShared = false
		}
	}
	defer p.placeKeys()
	for i, name := range c.mapping.Key {
		add(fmt.Sprintf("formatter.key[%d]", i), name)
	}
	for i, name := range hash {
		path := fmt.Sprintf("hash[%d]", i)
		if plain, ok := FieldName(name); ok && c.customByName(name) == nil {
			name = plain
		}
		add(path, name)
	}
}

// placeKeys notes where the fields of the key are kept while a message is read,
// if they are few and no lists.
func (p *Program) placeKeys() {
	if len(p.key) == 0 || len(p.key) > maxPlain {
		return
	}
	places := make([]uint8, maxFieldNumber+1)
	for i, k := range p.key {
		if k.custom != nil || isExtra(k.id) || k.kind == kindUints || k.kind == kindLayers || k.kind == kindBytesList {
			return
		}
		if places[k.number] == 0 {
			p.keyFields++
		}
		places[k.number] = uint8(i + 1)
	}
	p.keyPlaces = places
}

// keyOf returns the key of a flow.
func (p *Program) keyOf(f *Flow) uint32 {
	h := fnv(fnvOffset)
	for i := range p.key {
		h = p.key[i].hash(h, f)
	}
	return uint32(h)
}

// hash adds the printed value of the field.
func (k *keyField) hash(h fnv, f *Flow) fnv {
	if k.id == fieldCustom {
		return k.hashCustom(h, f)
	}
	if isExtra(k.id) && !f.has(k.id) {
		return h // as an added field that the flow does not have
	}
	switch k.kind {
	case kindUint32:
		return h.number(uint64(*f.u32(k.id)))
	case kindUint64:
		return h.number(*f.u64(k.id))
	case kindBytes:
		return h.bytes(*f.bytes(k.id))
	case kindUints, kindLayers:
		h = h.byte('[')
		for i, v := range *f.uints(k.id) {
			if i > 0 {
				h = h.byte(' ')
			}
			if k.kind == kindLayers {
				h = h.text(layerName(v))
			} else {
				h = h.number(uint64(v))
			}
		}
		return h.byte(']')
	case kindBytesList:
		h = h.byte('[')
		if k.id != fieldRoutingAddresses {
			for i, v := range *f.byteLists(k.id) {
				if i > 0 {
					h = h.byte(' ')
				}
				h = h.bytes(v)
			}
			return h.byte(']')
		}
		for a := f.RoutingAddresses; len(a) >= 16; a = a[16:] {
			if len(a) != len(f.RoutingAddresses) {
				h = h.byte(' ')
			}
			h = h.bytes(a[:16])
		}
		return h.byte(']')
	default: // kindType
		return h.text(typeName(f.Type))
	}
}

// hashCustom adds an added field, or nothing where the flow does not have it.
func (k *keyField) hashCustom(h fnv, f *Flow) fnv {
	v, at := f.firstCustom(k.custom, 0)
	if v == nil {
		return h
	}
	if !k.custom.array {
		return h.custom(v)
	}
	h = h.byte('[')
	for first := true; v != nil; v, at = f.firstCustom(k.custom, at+1) {
		if !first {
			h = h.byte(' ')
		}
		first = false
		h = h.custom(v)
	}
	return h.byte(']')
}

func (h fnv) custom(v *customValue) fnv {
	if v.field.varint {
		return h.number(v.num)
	}
	return h.bytes(v.bytes)
}
