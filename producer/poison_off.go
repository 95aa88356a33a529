//go:build !weirpoison

package producer

// poison does nothing outside of test builds (tag weirpoison).
func poison(*Batch) {}

// poison does nothing outside of test builds (tag weirpoison).
func (m *memory) poison() {}
