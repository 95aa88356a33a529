package producer_test

import (
	"strings"
	"testing"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// TestZeroIsNone writes columns whose last, or only, one may be left out: addresses of
// zeros are none.
func TestZeroIsNone(t *testing.T) {
	_, fused := producer.Builds()
	data := []byte{10, 0, 0, 1, 0, 0, 0, 0, 10, 0, 0, 2, 198, 51, 100, 9}
	datagram := v9(set(0, tpl(256, 8, 4, 225, 4)), set(256, data))
	for _, c := range []struct {
		fields   []string
		want     string
		path     producer.Path
		notation producer.Format
	}{
		{[]string{"src_addr", "post_nat_src_addr"}, `{"src_addr":"10.0.0.1"}|{"src_addr":"10.0.0.2","post_nat_src_addr":"198.51.100.9"}`, producer.PathGeneric, producer.FormatJSON},
		{[]string{"post_nat_src_addr"}, `{}|{"post_nat_src_addr":"198.51.100.9"}`, producer.PathGeneric, producer.FormatJSON},
		{[]string{"post_nat_src_addr", "src_addr"}, `{"src_addr":"10.0.0.1"}|{"post_nat_src_addr":"198.51.100.9","src_addr":"10.0.0.2"}`, producer.PathPlanColumns, producer.FormatJSON},
		{[]string{"bytes", "post_nat_src_addr", "src_addr"}, `bytes=0 src_addr=10.0.0.1|bytes=0 post_nat_src_addr=198.51.100.9 src_addr=10.0.0.2`, producer.PathPlanColumns, producer.FormatText},
	} {
		p := producer.New(producer.Config{Format: c.notation, Programs: program(t, &producer.Mapping{Fields: c.fields}, producer.Settings{})},
			producer.NewStore(template.DefaultLimits()))
		batch := producer.NewBatch(0, 64<<10)
		for _, a := range arrivals(datagram) {
			p.Datagram(batch, a.meta, a.data)
		}
		var got []string
		for i := range batch.Records() {
			got = append(got, string(batch.Message(i)))
		}
		if line := strings.Join(got, "|"); line != c.want {
			t.Errorf("%v: %s, want %s", c.fields, line, c.want)
		}
		if p.Counters.Encoded[c.path] != 2 && fused {
			t.Errorf("%v: paths %v, want 2 of %v", c.fields, p.Counters.Encoded, c.path)
		}
	}
}
