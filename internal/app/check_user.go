package app

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
)

// unitFolders are where systemd looks for units, the most important first.
var unitFolders = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

const unitName = "weir.service"

// user tells that the unit runs as another user: what this one may open, bind and
// capture says nothing about that one then.
func (r *report) user() {
	unit := unitUser(unitFolders)
	if unit == "" {
		return
	}
	now, err := user.Current()
	if err != nil || now.Username == unit || now.Uid == unit {
		return
	}
	r.Warn("user", fmt.Sprintf("this check runs as %s, and %s runs as %s, with other rights and capabilities", now.Username, unitName, unit),
		fmt.Sprintf("repeat it as the unit does: systemd-run --pipe --wait -p User=%s -p 'AmbientCapabilities=...' weir check ..., with the AmbientCapabilities= of systemctl cat %s", unit, unitName))
}

// unitUser returns the User= of the installed unit with its drop-ins, "" if there is no
// unit.
func unitUser(folders []string) (name string) {
	for _, folder := range folders {
		if text, err := os.ReadFile(filepath.Join(folder, unitName)); err == nil {
			name = setting(text, "User", "root")
			break
		}
	}
	if name == "" {
		return ""
	}
	// A drop-in takes the place of those of the same name in folders that come later.
	dropIns := map[string]string{}
	for _, folder := range folders {
		found, _ := filepath.Glob(filepath.Join(folder, unitName+".d", "*.conf")) // the pattern is right
		for _, path := range found {
			if base := filepath.Base(path); dropIns[base] == "" {
				dropIns[base] = path
			}
		}
	}
	var names []string
	for base := range dropIns {
		names = append(names, base)
	}
	slices.Sort(names)
	for _, base := range names {
		if text, err := os.ReadFile(dropIns[base]); err == nil {
			name = setting(text, "User", name)
		}
	}
	return name
}

// setting returns the last value of a name in a unit file, or otherwise if it is not
// there.
func setting(text []byte, name, otherwise string) string {
	value := otherwise
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if key, v, ok := strings.Cut(strings.TrimSpace(lines.Text()), "="); ok && strings.TrimSpace(key) == name {
			value = strings.TrimSpace(v)
		}
	}
	return value
}
