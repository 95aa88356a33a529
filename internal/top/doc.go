// Package top shows a running weir in a terminal: what it receives and writes, what is lost
// and where, how full its queues are, and its exporters by rate, loss or silence.
//
// It knows weir by the pages of its web server alone, so it may run on another host, and
// costs weir what a browser costs. The way of a number:
//
//  1. [Parse] reads the command line. [Options.Run] asks for /health first, and fails where
//     nothing answers.
//  2. schedule says which page to ask for next: /metrics, /health, /exporters page by page, or
//     one exporter. There is one request at a time, and at most one a second.
//  3. client asks for it, within a time and a size, and reads it into an answer. Each string
//     of a page is of the type text, which makes control characters harmless as it is read:
//     exporters choose some of these strings.
//  4. state takes the answer over: rates from the counters of two pages of metrics, rows of
//     exporters, and what was lost in the last minute. A weir that was restarted counts from 0
//     again, which is no rate and no loss.
//  5. model, the model of bubbletea, turns keys into what is shown. Its screens are functions
//     of the state and of the time of the last message, which is what the tests of the screens
//     rely on.
//
// With -once, and where standard output is no terminal, [Options.Run] asks for all pages once
// and writes tables instead.
package top
