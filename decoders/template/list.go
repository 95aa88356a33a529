package template

// Find returns the domain of exactly the key, nil if there is none. It takes no
// lock and does not allocate.
func (s *Store[C]) Find(k *Key) *Domain[C] { return s.find(k) }

// Len returns how many templates the domain has. It takes no lock.
func (d *Domain[C]) Len() int {
	n := 0
	ids := d.ids.Load()
	for i := range ids.slots {
		if t := ids.slots[i].template.Load(); t != nil {
			n++
		}
	}
	return n
}
