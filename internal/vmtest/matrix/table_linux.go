package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/weirflow/weir/internal/vmtest"
)

// row is what was seen of one machine.
type row struct {
	Kernel  string // suite
	Release string // of the kernel
	Card    string
	Reports []vmtest.Report
	Broken  string // why the machine did not come to its end
}

// report finds a step's.
func (r *row) report(step string) (vmtest.Report, bool) {
	for _, one := range r.Reports {
		if one.Step == step {
			return one, true
		}
	}
	return vmtest.Report{}, false
}

// cell is a report in few words.
func cell(one vmtest.Report) string {
	if one.Result != vmtest.OK {
		return string(one.Result)
	}
	// Up to the count, with the way that the datagrams came.
	short, _, _ := strings.Cut(one.Text, " (")
	short, _, _ = strings.Cut(short, "; ")
	parts := strings.Split(short, ", ")
	for len(parts) > 2 && !strings.HasSuffix(parts[len(parts)-1], "over sockets") {
		parts = parts[:len(parts)-1]
	}
	return strings.Join(parts, ", ")
}

// write writes the table, and below it every report that is not ok, and all texts.
func write(w io.Writer, title string, columns []string, rows []row) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "# Virtual machines: kernels and cards\n\n%s\n\n", title)
	fmt.Fprint(out, "A cell is what was seen: the mode, what was received by which way. `refused` is the kernel's or the driver's\n"+
		"(the reason is below, and weir received on, exactly); `-` was not asked for.\n\n")
	fmt.Fprintf(out, "| kernel | card | %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)+2))
	for _, r := range rows {
		fmt.Fprintf(out, "| %s | %s |", r.Release, r.Card)
		for _, step := range columns {
			text := "-"
			if one, ok := r.report(step); ok {
				text = cell(one)
			}
			fmt.Fprintf(out, " %s |", strings.ReplaceAll(text, "|", "/"))
		}
		fmt.Fprintln(out)
	}
	fmt.Fprint(out, "\nIn full:\n")
	for _, r := range rows {
		fmt.Fprintf(out, "\n**%s, %s** (%s)\n\n", r.Release, r.Card, r.Kernel)
		if r.Broken != "" {
			fmt.Fprintf(out, "- %s: %s\n", vmtest.Failed, r.Broken)
		}
		for _, one := range r.Reports {
			mark := ""
			if one.Result != vmtest.OK {
				mark = string(one.Result) + ": "
			}
			fmt.Fprintf(out, "- %s: %s%s\n", one.Step, mark, one.Text)
			if one.Note != "" {
				fmt.Fprintf(out, "- %s: note: %s\n", one.Step, one.Note)
			}
		}
	}
	return out.Flush()
}

// judge returns an error if anything failed.
func judge(rows []row) error {
	failed, steps := 0, 0
	for _, r := range rows {
		if r.Broken != "" {
			failed++
		}
		for _, one := range r.Reports {
			steps++
			if one.Result != vmtest.OK && one.Result != vmtest.Refused {
				failed++
			}
		}
	}
	switch {
	case steps == 0:
		return fmt.Errorf("no step has run")
	case failed > 0:
		return fmt.Errorf("%d of %d steps failed", failed, steps)
	}
	return nil
}
