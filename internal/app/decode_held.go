package app

import (
	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/producer"
)

// held returns the room for data that comes before its template: what the
// collector has by default.
func (d *decode) held() *producer.Held {
	cfg := config.Default()
	cfg.Produce = d.cfg.Produce
	return newHeld(cfg)
}

// release decodes data whose template has come, and gives up what has waited for
// too long at a time of the capture, in Unix nanoseconds.
func (d *decode) release(nowNs int64) error {
	d.prod.Expire(nowNs, nil)
	for more := true; more; {
		more = d.prod.Release(d.batch, producer.DefaultBatchSize, nil)
		if len(d.batch.Buf) >= producer.DefaultBatchSize {
			if err := d.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}
