package metrics

var (
	outputRepairs  = desc("output_repairs_total", "Output files that an earlier run had left unfinished and that were cut after their last whole message, or set aside.")
	outputRepaired = desc("output_repaired_bytes_total", "Bytes that were cut off or set aside by that.")
)

// repairs exports what was done to files that an earlier run had not finished.
func (c *Collector) repairs(e emitter) {
	if c.src.File == nil {
		return
	}
	r := c.src.File.Repairs()
	e.count(outputRepairs, r.Files)
	e.count(outputRepaired, r.Bytes)
}
