package cases

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Differences compares the fields of a flow that count with a message in JSON,
// and returns a line for each that differs. A field that the message does not
// have is "none"; lists are written as JSON writes them.
func Differences(message []byte, want map[string]string) (lines []string, err error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(message, &m); err != nil {
		return nil, fmt.Errorf("read message: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		got := "none"
		if v, ok := m[name]; ok {
			var text string
			if json.Unmarshal(v, &text) == nil {
				got = text
			} else {
				got = string(bytes.TrimSpace(v))
			}
		}
		if got != want[name] {
			lines = append(lines, fmt.Sprintf("%s %s, want %s", name, got, want[name]))
		}
	}
	return lines, nil
}
