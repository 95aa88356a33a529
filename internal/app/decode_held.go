package app

import (
	"github.com/weirflow/weir/producer"
)

// held returns the room for data that comes before its template.
func (d *decode) held() *producer.Held {
	if d.cfg.Produce == "raw" {
		return nil
	}
	return producer.NewHeld(pendingLimits(&d.cfg.Pending))
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
