// Package top shows a running weir on a terminal, as weir top does.
//
// A [Client] reads /metrics and /health of weir's web server ([Reading]). Two readings one after
// the other make a [Screen]: rates, loss by place, exporters. [Screen.Text] lays it out for a
// width. [Run] shows that live, with keys to sort, filter, pause and look at one exporter; it
// asks weir every interval and never more often than once a second. Names that come from the
// network are shown without control characters.
package top
