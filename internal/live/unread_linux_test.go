package live

import (
	"context"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// unreadClients is how many clients ask for the metrics and do not read.
const unreadClients = 200

// TestUnreadMetrics: clients that do not read what they ask for, and come again when
// they are cut off, neither fill weir's memory nor keep it from answering others. With
// WEIR_HOSTILE=full it lasts for 25 s.
func TestUnreadMetrics(t *testing.T) {
	host := newHost(t)
	w := startWeir(t, host, "-templates.json.path", t.TempDir()+"/templates.json")
	// Metrics of many exporters make a large page.
	const exporters = 250
	for i := range exporters {
		conn := dialOn(t, host, "127.0.1."+itoa(i+1), "127.0.0.1:2055")
		send(t, conn, ipfix(1, set(setIPFIXTemplate, flowTemplate(256)), set(256, flowRecords(2))))
		conn.Close()
	}
	w.waitMetric(exporters, "datagrams_received_total")
	for range 20 { // what scrapes take anyway
		w.scrape()
	}
	before := w.memory("VmRSS")
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	if os.Getenv("WEIR_HOSTILE") == "full" {
		ctx, cancel = context.WithTimeout(context.Background(), 25*time.Second)
	}
	defer cancel()
	ended := make(chan struct{})
	for range unreadClients {
		go func() {
			defer func() { ended <- struct{}{} }()
			for ctx.Err() == nil {
				unread(ctx, host.Do)
			}
		}()
	}
	answered, refused := 0, 0
	for began := time.Now(); ctx.Err() == nil || answered == 0 && time.Since(began) < patience; {
		status, _, err := w.get("/metrics")
		switch {
		case err == nil && status == 200:
			answered++
		case err == nil && status == 503:
			refused++
		default:
			t.Logf("a client that reads: %d, %v", status, err)
			refused++
		}
		if status, page, err := w.get("/__health"); err != nil || status != 200 {
			t.Errorf("health: %d %q, %v", status, page, err)
		}
	}
	grown := w.memory("VmHWM") - before
	cancel()
	for range unreadClients {
		<-ended
	}
	t.Logf("%d of %d scrapes answered; resident memory grew by %d KiB from %d", answered, answered+refused, grown, before)
	if answered == 0 {
		t.Error("no client that reads was answered")
	}
	if grown > 64<<10 && !raceDetector() {
		t.Errorf("resident memory grew by %d KiB", grown)
	}
	w.stop()
}

// unread asks for the metrics until the server hangs up, or the context ends, and
// reads next to nothing.
func unread(ctx context.Context, on func(func() error) error) {
	var conn net.Conn
	if on(func() (err error) {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", "127.0.0.1:8080")
		return err
	}) != nil {
		return
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		return
	}
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for one := make([]byte, 1); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := conn.Read(one); err != nil {
			return
		}
	}
}
